#include "fs-client/lease/lease_cache.h"

#include <algorithm>
#include <utility>

#include "common/env/mutate.h"

namespace gabion {

void LeaseCache::Begin(const proto::LeaseNote& note, TimePoint valid_until) {
  std::lock_guard lock(mutex_);
  if (!Mutated("lease.keep_over_resume")) {
    records_.clear();
    floors_.clear();
    leases_ = 0;
    names_ = 0;
  }
  era_ = note.era();
  ++generation_;
  floor_ = note.number();
  valid_until_ = valid_until;
}

LeaseCache::KernelWork LeaseCache::Extend(TimePoint valid_until, TimePoint now, bool lapsed) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  // The kernel's own times are over as well, but for what was on its way there when this process was stopped.
  if ((lapsed || now >= valid_until_) && !Mutated("lease.revive")) work = DropAll();
  valid_until_ = std::max(valid_until_, valid_until);
  return work;
}

LeaseCache::KernelWork LeaseCache::End() {
  std::lock_guard lock(mutex_);
  KernelWork work = DropAll();
  work.wait_until = told_until_;
  records_.clear();
  floors_.clear();
  era_ = 0;
  return work;
}

LeaseCache::KernelWork LeaseCache::ForgetKnown(TimePoint until) {
  std::lock_guard lock(mutex_);
  quiet_until_ = std::max(quiet_until_, until);
  return ForgetAllKnown();
}

LeaseCache::KernelWork LeaseCache::ForgetAllKnown() {
  KernelWork work;
  ++generation_;
  for (auto& [ino, record] : records_) {
    work.wait_until = std::max(work.wait_until, record.told_until);
    ForgetKnownOf(ino, record, work);
  }
  return work;
}

std::uint64_t LeaseCache::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

bool LeaseCache::Accepts(const proto::LeaseNote& note, TimePoint now) const {
  return note.number() > 0 && note.era() == era_ && note.asked() == generation_ && now >= quiet_until_;
}

void LeaseCache::Learn(const proto::LeaseNote& note, const proto::Attr& attr, TimePoint now) {
  if (!attr.leased()) return;
  std::lock_guard lock(mutex_);
  Record* record = Accepts(note, now) ? GrantedAt(note, Ino(attr.ino())) : nullptr;
  if (record == nullptr || note.number() < record->changed) return;
  if (record->known && record->known->number > note.number()) return;
  record->known = Known{attr, note.number()};
}

void LeaseCache::LearnEntry(const proto::LeaseNote& note, Ino directory, const std::string& name, Ino ino,
                            TimePoint now) {
  std::lock_guard lock(mutex_);
  Record* record = Accepts(note, now) ? GrantedAt(note, directory) : nullptr;
  if (record == nullptr || note.number() < record->changed) return;
  auto known = record->names.find(name);
  if (known == record->names.end()) {
    if (names_ >= kMaxNames) return;
    known = record->names.try_emplace(name).first;
    ++names_;
  }
  if (known->second.number <= note.number()) known->second = {ino, note.number()};
}

LeaseCache::Record* LeaseCache::GrantedAt(const proto::LeaseNote& note, Ino ino) {
  auto found = records_.find(ino);
  if (found == records_.end()) {
    if (note.number() <= floor_ || leases_ >= kMaxLeases) return nullptr;
    found = records_.try_emplace(ino).first;
    found->second.recalled = found->second.changed = floor_;
  }
  Record& record = found->second;
  if (note.number() <= record.recalled && !Mutated("lease.take_recalled")) return nullptr;
  if (record.lease == 0) ++leases_;
  record.lease = std::max(record.lease, note.number());
  return &record;
}

LeaseCache::KernelWork LeaseCache::Changed(const proto::LeaseNote& note, TimePoint now) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  if (Mutated("lease.keep_changed")) return work;
  if (note.number() == 0 || note.era() != era_) return ForgetAllKnown();  // it does not say what, or not in our order
  for (std::uint64_t number : note.changed()) {
    const Ino ino(number);
    Record& record = At(ino);
    record.changed = std::max(record.changed, note.number());
    record.entries_from = now + kEntryQuiet;
    ForgetKnownOf(ino, record, work);  // that of a later answer as well, which is rare
  }
  ForgetOldFloors();
  return work;
}

LeaseCache::KernelWork LeaseCache::Recalled(std::span<const proto::Recall> recalls) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  for (const proto::Recall& recall : recalls) {
    const Ino ino(recall.ino());
    Record& record = At(ino);
    record.recalled = std::max(record.recalled, recall.number());
    if (record.lease != 0 && record.lease <= recall.number()) {
      DropLease(ino, record, work);
      floors_.push_back(ino);
    }
  }
  ForgetOldFloors();
  return work;
}

LeaseCache::Record& LeaseCache::At(Ino ino) {
  auto [found, is_new] = records_.try_emplace(ino);
  if (is_new) {
    floors_.push_back(ino);
    found->second.recalled = floor_;
    found->second.changed = floor_;
  }
  return found->second;
}

void LeaseCache::ForgetKnownOf(Ino ino, Record& record, KernelWork& work) {
  record.known.reset();
  names_ -= record.names.size();
  record.names.clear();
  if (std::exchange(record.attributes_told, false)) work.attributes.push_back(ino);
}

void LeaseCache::DropLease(Ino ino, Record& record, KernelWork& work) {
  if (record.lease == 0) return;
  record.lease = 0;
  --leases_;
  work.wait_until = std::max(work.wait_until, record.told_until);
  ForgetKnownOf(ino, record, work);
}

/// What remains are the numbers that tell old answers.
LeaseCache::KernelWork LeaseCache::DropAll() {
  KernelWork work;
  ++generation_;
  for (auto& [ino, record] : records_) {
    if (record.lease != 0) floors_.push_back(ino);
    DropLease(ino, record, work);
  }
  ForgetOldFloors();
  return work;
}

/// An inode may stand there several times, and may have got a lease since: then it comes again when that is dropped.
void LeaseCache::ForgetOldFloors() {
  while (floors_.size() > kMaxFloors) {
    auto found = records_.find(floors_.front());
    floors_.pop_front();
    if (found == records_.end() || found->second.lease != 0) continue;
    floor_ = std::max({floor_, found->second.recalled, found->second.changed});
    records_.erase(found);
  }
}

std::optional<LeaseCache::Known> LeaseCache::Find(Ino ino, TimePoint now) const {
  std::lock_guard lock(mutex_);
  if (now >= valid_until_ && !Mutated("lease.serve_lapsed")) return std::nullopt;
  auto found = records_.find(ino);
  if (found == records_.end()) return std::nullopt;
  return found->second.known;
}

std::optional<Ino> LeaseCache::FindEntry(Ino directory, const std::string& name, TimePoint now) const {
  std::lock_guard lock(mutex_);
  if (now >= valid_until_ && !Mutated("lease.serve_lapsed")) return std::nullopt;
  auto found = records_.find(directory);
  if (found == records_.end()) return std::nullopt;
  auto known = found->second.names.find(name);
  if (known == found->second.names.end()) return std::nullopt;
  return known->second.ino;
}

Duration LeaseCache::AttributesFor(Ino ino, std::uint64_t number, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end()) return Duration(0);
  const Duration left = LeftOf(found->second, number, valid_until_, now);
  if (left > Duration(0)) found->second.attributes_told = true;
  return left;
}

Duration LeaseCache::AttributesBesideEntry(Ino ino, std::uint64_t number, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end() || !found->second.attributes_told) return Duration(0);
  const Duration left = LeftOf(found->second, number, valid_until_, now);
  // The kernel may have dropped the inode since, and would make it anew from this answer.
  if (left > Duration(0)) Tell(found->second, now + kKernelSlack);
  return left;
}

void LeaseCache::Tell(Record& record, TimePoint until) {
  record.told_until = std::max(record.told_until, until);
  told_until_ = std::max(told_until_, until);
}

Duration LeaseCache::LeftOf(const Record& record, std::uint64_t number, TimePoint until, TimePoint now) {
  if (now >= until || !record.known || record.known->number != number) return Duration(0);
  return until - now;
}

Duration LeaseCache::EntryFor(Ino directory, const std::string& name, Ino ino, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(directory);
  if (now >= valid_until_ || found == records_.end() || now < found->second.entries_from) return Duration(0);
  Record& record = found->second;
  auto known = record.names.find(name);
  if (known == record.names.end() || known->second.ino != ino) return Duration(0);
  const Duration validity = std::min(kEntryValidity, valid_until_ - now);
  Tell(record, now + validity + kKernelSlack);
  return validity;
}

TimePoint LeaseCache::Moved(Ino from, Ino to, TimePoint now) {
  std::lock_guard lock(mutex_);
  TimePoint told;
  for (Ino directory : {from, to}) {
    if (auto found = records_.find(directory); found != records_.end()) told = std::max(told, found->second.told_until);
  }
  if (told <= now) return TimePoint();
  bool both_leased = true;
  for (Ino directory : {from, to}) {
    auto found = records_.find(directory);
    const bool leased = found != records_.end() && found->second.lease != 0;
    if (leased) Tell(found->second, told);
    both_leased = both_leased && leased;
  }
  return both_leased ? TimePoint() : told;
}

std::uint64_t LeaseCache::era() const {
  std::lock_guard lock(mutex_);
  return era_;
}

TimePoint LeaseCache::valid_until() const {
  std::lock_guard lock(mutex_);
  return valid_until_;
}

std::size_t LeaseCache::size() const {
  std::lock_guard lock(mutex_);
  return leases_;
}

}  // namespace gabion
