#include "fs-client/lease/lease_cache.h"

#include <algorithm>
#include <utility>

#include "common/env/mutate.h"

namespace gabion {

void LeaseCache::Begin(const proto::LeaseNote& note, std::span<const Ino> kept_writes, TimePoint valid_until) {
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
  valid_until_ = writes_until_ = valid_until;
  for (Ino ino : kept_writes) {
    Record& record = At(ino);
    record.lease = record.since = note.number() + 1;
    record.write = true;
    ++leases_;
  }
}

LeaseCache::KernelWork LeaseCache::Extend(TimePoint valid_until, TimePoint now, bool lapsed, bool reads_overdue) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  // The kernel's own times are over as well, but for what was on its way there when this process was stopped.
  if ((lapsed || now >= valid_until_) && !Mutated("lease.revive")) work = DropAll(true);
  writes_until_ = std::max(writes_until_, valid_until);
  if (!reads_overdue) valid_until_ = std::max(valid_until_, valid_until);
  return work;
}

LeaseCache::KernelWork LeaseCache::End() {
  std::lock_guard lock(mutex_);
  KernelWork work = DropAll(false);
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
    ForgetAttributesOf(ino, record, work);
    ForgetNamesOf(record, 0);
  }
  return work;
}

std::uint64_t LeaseCache::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

bool LeaseCache::IsCurrent(const proto::LeaseNote& note) const {
  return note.number() > 0 && note.era() == era_ && note.asked() == generation_;
}

bool LeaseCache::Accepts(const proto::LeaseNote& note, TimePoint now) const {
  return IsCurrent(note) && now >= quiet_until_;
}

void LeaseCache::Learn(const proto::LeaseNote& note, const proto::Attr& attr, TimePoint now) {
  std::lock_guard lock(mutex_);
  // Whatever an op of our own may still do to the file, nobody else does anything to it.
  if (attr.write_leased() && IsCurrent(note)) {
    Record* record = GrantedAt(note, Ino(attr.ino()));
    if (record != nullptr && note.number() > record->downgraded) {
      record->only_locker = attr.only_locker() || (record->write && record->only_locker);
      record->write = true;
    }
  }
  if (Accepts(note, now)) LearnAttr(note, attr);
}

/// Of a note that is accepted.
void LeaseCache::LearnAttr(const proto::LeaseNote& note, const proto::Attr& attr) {
  if (!attr.leased()) return;
  Record* record = GrantedAt(note, Ino(attr.ino()));
  if (record == nullptr || note.number() < record->changed) return;
  if (record->known && record->known->number > note.number()) return;
  record->known = Known{attr, note.number()};
}

void LeaseCache::LearnEntry(const proto::LeaseNote& note, Ino directory, const std::string& name, Ino ino,
                            std::uint32_t mode, TimePoint now) {
  std::lock_guard lock(mutex_);
  Record* record = Accepts(note, now) ? GrantedAt(note, directory) : nullptr;
  if (record != nullptr) LearnName(*record, name, {ino, mode, note.number()});
}

void LeaseCache::LearnName(Record& record, const std::string& name, const KnownNames::Entry& entry) {
  if (names_ >= kMaxNames) ForgetAllNames();
  const std::size_t before = record.names.size();
  record.names.Learn(name, entry);
  names_ += record.names.size() - before;
}

std::uint64_t LeaseCache::LearnPage(const proto::ReadDirReply& page, Ino directory, std::uint64_t listing,
                                    TimePoint now) {
  const proto::LeaseNote& note = page.note();
  std::lock_guard lock(mutex_);
  if (!Accepts(note, now)) return kNoListing;
  for (const proto::DirEntry& entry : page.entries()) {
    if (entry.has_attr()) LearnAttr(note, entry.attr());
  }
  Record* record = page.entries_leased() ? GrantedAt(note, directory) : nullptr;
  if (record == nullptr) return kNoListing;
  KnownNames& names = record->names;
  if (listing == kNewListing) listing = names.BeginListing(note.number()) ? note.number() : kNoListing;
  for (const proto::DirEntry& entry : page.entries()) {
    // Without attributes, and without hope to have all names, looking one up takes an answer all the same.
    if (!entry.has_attr() && !names.IsListing(listing)) continue;
    LearnName(*record, entry.name(), {Ino(entry.ino()), entry.mode(), note.number()});
  }
  if (names.size() > kMaxCompleteNames) {
    ForgetNamesOf(*record, 0);
    return kNoListing;
  }
  if (!names.IsListing(listing)) return kNoListing;
  if (page.end()) {
    const std::size_t before = names.size();
    names.CompleteListing(listing, note.number());
    names_ += names.size() - before;
  }
  return listing;
}

void LeaseCache::LearnEmpty(const proto::LeaseNote& note, Ino directory, TimePoint now) {
  std::lock_guard lock(mutex_);
  Record* record = Accepts(note, now) ? GrantedAt(note, directory) : nullptr;
  if (record != nullptr) record->names.BeginEmpty(note.number());
}

LeaseCache::Record* LeaseCache::GrantedAt(const proto::LeaseNote& note, Ino ino) {
  auto found = records_.find(ino);
  if (found == records_.end()) {
    if (note.number() <= floor_ || leases_ >= kMaxLeases) return nullptr;
    found = records_.try_emplace(ino).first;
    found->second.recalled = found->second.changed = floor_;
    found->second.names.Forget(floor_);
  }
  Record& record = found->second;
  if (note.number() <= record.recalled && !Mutated("lease.take_recalled")) return nullptr;
  if (record.lease == 0) ++leases_;
  record.since = record.lease == 0 ? note.number() : std::min(record.since, note.number());
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
    ForgetAttributesOf(ino, record, work);  // those of a later answer as well, which is rare
  }
  if (Accepts(note, now)) {
    for (const proto::Attr& directory : note.directories()) LearnAttr(note, directory);
  }
  for (const proto::ChangedEntry& entry : note.entries()) ChangeEntry(note, entry, now);
  ForgetOldFloors();
  return work;
}

void LeaseCache::ChangeEntry(const proto::LeaseNote& note, const proto::ChangedEntry& entry, TimePoint now) {
  Record& record = At(Ino(entry.directory()));
  record.quiet_until = now + kQuiet;
  // From before the lease was held: others may have changed it since.
  if (record.lease == 0 || note.number() < record.since || !Accepts(note, now)) {
    ForgetNamesOf(record, note.number());
    return;
  }
  if (names_ >= kMaxNames) ForgetAllNames();
  const std::size_t before = record.names.size();
  record.names.Change(entry.name(), {Ino(entry.ino()), entry.mode(), note.number()});
  names_ += record.names.size() - before;
}

std::optional<LeaseCache::KernelWork> LeaseCache::RecalledRead(const proto::Recall& recall) {
  KernelWork work;
  std::lock_guard lock(mutex_);
  auto found = records_.find(Ino(recall.ino()));
  if (found != records_.end() && (found->second.write || !found->second.returning.empty())) return std::nullopt;
  TakeBack(recall, work);
  ForgetOldFloors();
  return work;
}

LeaseCache::WriteRecall LeaseCache::RecalledWrite(const proto::Recall& recall) {
  WriteRecall recalled;
  std::lock_guard lock(mutex_);
  const Return before = last_return_;
  TakeBack(recall, recalled.work);
  if (last_return_ != before) recalled.flushing = last_return_;
  ForgetOldFloors();
  return recalled;
}

void LeaseCache::TakeBack(const proto::Recall& recall, KernelWork& work) {
  const Ino ino(recall.ino());
  Record& record = At(ino);
  record.recalled = std::max(record.recalled, recall.number());
  // What it is to forget for another reason it may not have forgotten yet.
  if (forgetting_.contains(ino)) {
    work.wait_until = std::max(work.wait_until, record.told_until);
    AddForgetting(ino, work);
  }
  if (record.lease == 0 || record.lease > recall.number()) return;
  DropLease(ino, record, work);
  floors_.push_back(ino);
}

LeaseCache::Record& LeaseCache::At(Ino ino) {
  auto [found, is_new] = records_.try_emplace(ino);
  if (is_new) {
    floors_.push_back(ino);
    found->second.recalled = floor_;
    found->second.changed = floor_;
    found->second.names.Forget(floor_);
  }
  return found->second;
}

void LeaseCache::ForgetAttributesOf(Ino ino, Record& record, KernelWork& work) {
  record.known.reset();
  if (std::exchange(record.attributes_told, false)) AddForgetting(ino, work);
}

void LeaseCache::AddForgetting(Ino ino, KernelWork& work) {
  work.attributes.push_back(ino);
  ++forgetting_[ino];
}

void LeaseCache::Forgotten(const KernelWork& work) {
  std::lock_guard lock(mutex_);
  for (Ino ino : work.attributes) {
    auto found = forgetting_.find(ino);
    if (found != forgetting_.end() && --found->second == 0) forgetting_.erase(found);
  }
}

void LeaseCache::ForgetNamesOf(Record& record, std::uint64_t number) {
  names_ -= record.names.size();
  record.names.Forget(number);
}

void LeaseCache::ForgetAllNames() {
  for (auto& [ino, record] : records_) ForgetNamesOf(record, 0);
}

void LeaseCache::DropLease(Ino ino, Record& record, KernelWork& work) {
  if (record.lease == 0) return;
  record.lease = record.since = 0;
  if (std::exchange(record.write, false)) record.returning.push_back(++last_return_);
  --leases_;
  work.wait_until = std::max(work.wait_until, record.told_until);
  ForgetAttributesOf(ino, record, work);
  ForgetNamesOf(record, 0);
}

/// What remains are the numbers that tell old answers.
LeaseCache::KernelWork LeaseCache::DropAll(bool reads_only) {
  KernelWork work;
  ++generation_;
  for (auto& [ino, record] : records_) {
    if (reads_only && record.write) continue;
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
    if (found == records_.end() || found->second.lease != 0 || !found->second.returning.empty()) continue;
    floor_ = std::max({floor_, found->second.recalled, found->second.changed, found->second.downgraded});
    records_.erase(found);
  }
}

const LeaseCache::Record* LeaseCache::FindValid(Ino ino, TimePoint now, TimePoint until) const {
  if (now >= until && !Mutated("lease.serve_lapsed")) return nullptr;
  auto found = records_.find(ino);
  return found == records_.end() ? nullptr : &found->second;
}

std::optional<LeaseCache::Known> LeaseCache::Find(Ino ino, TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(ino, now, valid_until_);
  return record == nullptr ? std::nullopt : record->known;
}

bool LeaseCache::MayWrite(Ino ino, TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(ino, now, writes_until_);
  return record != nullptr && record->write;
}

bool LeaseCache::MayLock(Ino ino, TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(ino, now, writes_until_);
  return record != nullptr && record->write && record->only_locker;
}

bool LeaseCache::IsHeld(Ino ino, TimePoint now) const {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end() || found->second.lease == 0) return false;
  return now < (found->second.write ? writes_until_ : valid_until_);
}

bool LeaseCache::IsWriting(Ino ino) const {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  return found != records_.end() && found->second.write;
}

bool LeaseCache::IsReturning(Ino ino) const {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  return found != records_.end() && !found->second.returning.empty();
}

bool LeaseCache::MayFlush(Ino ino, TimePoint now) const {
  if (Mutated("lease.flush_lapsed")) return true;
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(ino, now, writes_until_);
  return record != nullptr && (record->write || !record->returning.empty());
}

std::optional<LeaseCache::Return> LeaseCache::Downgrade(proto::CommitWriteRequest& request) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(Ino(request.ino()));
  if (found == records_.end() || !std::exchange(found->second.write, false)) return std::nullopt;
  found->second.returning.push_back(++last_return_);
  found->second.downgraded = found->second.lease;
  request.set_downgrade(found->second.lease);
  return last_return_;
}

void LeaseCache::Returned(Ino ino, Return done) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end() || std::erase(found->second.returning, done) == 0) return;
  if (found->second.lease == 0) floors_.push_back(ino);
  ForgetOldFloors();
}

std::optional<Ino> LeaseCache::FindEntry(Ino directory, const std::string& name, TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(directory, now, valid_until_);
  std::optional<KnownNames::Entry> known = record == nullptr ? std::nullopt : record->names.Find(name);
  if (!known) return std::nullopt;
  return known->ino;
}

std::optional<proto::ReadDirReply> LeaseCache::ListEntries(Ino directory, const std::string& after_name,
                                                           std::uint32_t max_entries, bool with_attr,
                                                           TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Record* record = FindValid(directory, now, valid_until_);
  if (record == nullptr || !record->names.complete()) return std::nullopt;
  const KnownNames::Map& names = record->names.names();
  proto::ReadDirReply page;
  auto next = names.upper_bound(after_name);
  for (; next != names.end() && static_cast<std::uint32_t>(page.entries_size()) < max_entries; ++next) {
    const auto& [name, known] = *next;
    if (!known.ino) continue;
    const auto found = with_attr ? records_.find(known.ino) : records_.end();
    const bool has_attr = found != records_.end() && found->second.known;
    if (with_attr && !has_attr) {
      if (page.entries_size() == 0) return std::nullopt;
      break;
    }
    proto::DirEntry& entry = *page.add_entries();
    entry.set_name(name);
    entry.set_ino(known.ino.value());
    entry.set_mode(known.mode);
    if (with_attr) *entry.mutable_attr() = found->second.known->attr;
  }
  page.set_end(next == names.end());
  return page;
}

Duration LeaseCache::AttributesFor(Ino ino, std::uint64_t number, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end() || now < found->second.quiet_until) return Duration(0);
  const Duration left = LeftOf(found->second, number, valid_until_, now);
  if (left > Duration(0)) found->second.attributes_told = true;
  return left;
}

Duration LeaseCache::AttributesBesideEntry(Ino ino, std::uint64_t number, Beside beside, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(ino);
  if (found == records_.end() || now < found->second.quiet_until) return Duration(0);
  Record& record = found->second;
  if (!record.attributes_told && beside == Beside::kLookup) return Duration(0);
  const Duration left = LeftOf(record, number, valid_until_, now);
  if (left <= Duration(0)) return left;
  record.attributes_told = true;
  // Also if it had some before: it may have dropped the inode since, and would make it anew from this answer.
  Tell(record, running_.At(now) + kKernelSlack);
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
  if (now >= valid_until_ || found == records_.end() || now < found->second.quiet_until) return Duration(0);
  Record& record = found->second;
  const std::optional<KnownNames::Entry> known = record.names.Find(name);
  if (!known || known->ino != ino) return Duration(0);
  const Duration validity = std::min(kEntryValidity, valid_until_ - now);
  Tell(record, running_.At(now) + validity + kKernelSlack);
  return validity;
}

TimePoint LeaseCache::Moved(Ino from, Ino to, TimePoint now) {
  std::lock_guard lock(mutex_);
  TimePoint told;
  for (Ino directory : {from, to}) {
    if (auto found = records_.find(directory); found != records_.end()) told = std::max(told, found->second.told_until);
  }
  if (told <= running_.At(now)) return TimePoint();
  bool both_leased = true;
  for (Ino directory : {from, to}) {
    auto found = records_.find(directory);
    const bool leased = found != records_.end() && found->second.lease != 0;
    if (leased) Tell(found->second, told);
    both_leased = both_leased && leased;
  }
  return both_leased ? TimePoint() : told;
}

TimePoint LeaseCache::Running(TimePoint now) {
  std::lock_guard lock(mutex_);
  return running_.At(now);
}

std::uint64_t LeaseCache::era() const {
  std::lock_guard lock(mutex_);
  return era_;
}

TimePoint LeaseCache::valid_until() const {
  std::lock_guard lock(mutex_);
  return valid_until_;
}

TimePoint LeaseCache::writes_until() const {
  std::lock_guard lock(mutex_);
  return writes_until_;
}

std::size_t LeaseCache::size() const {
  std::lock_guard lock(mutex_);
  return leases_;
}

}  // namespace gabion
