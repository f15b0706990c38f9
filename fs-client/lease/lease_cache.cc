#include "fs-client/lease/lease_cache.h"

#include <algorithm>
#include <utility>

#include "common/env/mutate.h"

namespace gabion {

void LeaseCache::Begin(const proto::LeaseNote& note, TimePoint valid_until) {
  std::lock_guard lock(mutex_);
  records_.clear();
  floors_.clear();
  leases_ = 0;
  names_ = 0;
  era_ = note.era();
  floor_ = note.number();
  valid_until_ = valid_until;
}

LeaseCache::KernelWork LeaseCache::Extend(TimePoint valid_until, TimePoint now) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  // The kernel's own times are over as well, but for what was on its way there when this process was stopped.
  if (now >= valid_until_ && !Mutated("lease.revive")) work = DropAll();
  valid_until_ = std::max(valid_until_, valid_until);
  return work;
}

LeaseCache::KernelWork LeaseCache::End() {
  std::lock_guard lock(mutex_);
  KernelWork work = DropAll();
  records_.clear();
  floors_.clear();
  era_ = 0;
  return work;
}

LeaseCache::KernelWork LeaseCache::ForgetKnown() {
  std::lock_guard lock(mutex_);
  KernelWork work;
  for (auto& [ino, record] : records_) {
    ForgetKnownOf(record);
    if (std::exchange(record.kernel_attributes, false)) work.attributes.push_back(ino);
    if (std::exchange(record.kernel_entries, false)) work.entries = true;
  }
  return work;
}

void LeaseCache::Learn(const proto::LeaseNote& note, const proto::Attr& attr) {
  if (!attr.leased()) return;
  std::lock_guard lock(mutex_);
  Record* record = GrantedAt(note, Ino(attr.ino()));
  if (record == nullptr || note.number() < record->changed) return;
  if (record->known && record->known->number > note.number()) return;
  record->known = Known{attr, note.number()};
}

void LeaseCache::LearnDirectory(const proto::LeaseNote& note, Ino directory) {
  std::lock_guard lock(mutex_);
  (void)GrantedAt(note, directory);
}

void LeaseCache::LearnEntry(const proto::LeaseNote& note, Ino directory, const std::string& name, Ino ino) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(directory);
  if (!Accepts(note) || found == records_.end()) return;
  Record& record = found->second;
  if (record.lease == 0 || note.number() <= record.recalled || note.number() < record.changed) return;
  auto known = record.names.find(name);
  if (known == record.names.end()) {
    if (names_ >= kMaxNames) return;
    known = record.names.try_emplace(name).first;
    ++names_;
  }
  if (known->second.number <= note.number()) known->second = {ino, note.number()};
}

void LeaseCache::ForgetKnownOf(Record& record) {
  record.known.reset();
  names_ -= record.names.size();
  record.names.clear();
}

LeaseCache::Record* LeaseCache::GrantedAt(const proto::LeaseNote& note, Ino ino) {
  if (!Accepts(note)) return nullptr;
  auto found = records_.find(ino);
  if (found == records_.end()) {
    if (note.number() <= floor_ || leases_ >= kMaxLeases) return nullptr;
    found = records_.try_emplace(ino).first;
  }
  Record& record = found->second;
  if (note.number() <= record.recalled && !Mutated("lease.take_recalled")) return nullptr;
  if (record.lease == 0) ++leases_;
  record.lease = std::max(record.lease, note.number());
  return &record;
}

LeaseCache::KernelWork LeaseCache::Changed(const proto::LeaseNote& note) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  if (!Accepts(note) || Mutated("lease.keep_changed")) return work;
  for (std::uint64_t number : note.changed()) {
    const Ino ino(number);
    Record& record = At(ino);
    record.changed = std::max(record.changed, note.number());
    ForgetKnownOf(record);  // that of a later answer as well, which is rare
    if (std::exchange(record.kernel_attributes, false)) work.attributes.push_back(ino);
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

void LeaseCache::DropLease(Ino ino, Record& record, KernelWork& work) {
  if (record.lease == 0) return;
  record.lease = 0;
  --leases_;
  ForgetKnownOf(record);
  if (std::exchange(record.kernel_attributes, false)) work.attributes.push_back(ino);
  if (std::exchange(record.kernel_entries, false)) work.entries = true;
}

/// What remains are the numbers that tell old answers.
LeaseCache::KernelWork LeaseCache::DropAll() {
  KernelWork work;
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

std::optional<LeaseCache::KnownEntry> LeaseCache::FindEntry(Ino directory, const std::string& name,
                                                            TimePoint now) const {
  std::lock_guard lock(mutex_);
  if (now >= valid_until_ && !Mutated("lease.serve_lapsed")) return std::nullopt;
  auto found = records_.find(directory);
  if (found == records_.end()) return std::nullopt;
  auto known = found->second.names.find(name);
  if (known == found->second.names.end()) return std::nullopt;
  KnownEntry entry;
  entry.ino = known->second.ino;
  entry.note.set_era(era_);
  entry.note.set_number(known->second.number);
  return entry;
}

Duration LeaseCache::AttributesFor(Ino ino, std::uint64_t number, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (now >= valid_until_ || found == records_.end()) return Duration(0);
  Record& record = found->second;
  if (!record.known || record.known->number != number) return Duration(0);
  record.kernel_attributes = true;
  return valid_until_ - now;
}

Duration LeaseCache::EntryFor(Ino directory, const proto::LeaseNote& note, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(directory);
  if (!Accepts(note) || now >= valid_until_ || found == records_.end()) return Duration(0);
  Record& record = found->second;
  if (record.lease == 0 || note.number() <= record.recalled) return Duration(0);
  record.kernel_entries = true;
  return valid_until_ - now;
}

std::uint64_t LeaseCache::era() const {
  std::lock_guard lock(mutex_);
  return era_;
}

std::size_t LeaseCache::size() const {
  std::lock_guard lock(mutex_);
  return leases_;
}

}  // namespace gabion
