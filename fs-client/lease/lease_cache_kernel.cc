#include <algorithm>

#include "common/env/mutate.h"
#include "fs-client/lease/lease_cache.h"

// What the kernel is told under leases, and for how long.

namespace gabion {

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

Duration LeaseCache::EntryFor(Ino directory, const std::string& name, Ino ino, TimePoint now, bool unsettled) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(directory);
  if (now >= valid_until_ || found == records_.end() || now < found->second.quiet_until) return Duration(0);
  Record& record = found->second;
  const std::optional<KnownNames::Entry> known = record.names.Find(name);
  if (!known || known->ino != ino) return Duration(0);
  const TimePoint running = running_.At(now);
  // Two who both find that a name is free, and take it, would wait for each other.
  const bool settled = ino && (unsettled || now >= record.settled_after);
  if (settled && forgets_entries_ && listening_) {
    const Duration validity = std::min(kEntryValidity, valid_until_ - now);
    if (told_entries_.Add(directory, name, running + validity + kKernelSlack, running)) {
      Tell(record, running + kKernelSlack);  // the kernel looks names up again without the directory's lock
      return validity;
    }
  }
  const Duration validity = std::min(kBriefValidity, valid_until_ - now);
  Tell(record, running + validity + kKernelSlack);
  return validity;
}

void LeaseCache::LetForgetEntries() {
  std::lock_guard lock(mutex_);
  forgets_entries_ = true;
}

void LeaseCache::SetListening(bool listening) {
  std::lock_guard lock(mutex_);
  listening_ = listening;
}

void LeaseCache::Moving(const Move& move) {
  std::lock_guard lock(mutex_);
  if (Mutated("lease.move_untold")) return;
  told_entries_.Move(move.from, move.name, move.to, move.new_name);
  if (move.exchange) told_entries_.Move(move.to, move.new_name, move.from, move.name);
}

TimePoint LeaseCache::Moved(const Move& move, TimePoint now) {
  Moving(move);  // what was told meanwhile
  std::lock_guard lock(mutex_);
  TimePoint told;
  for (Ino directory : {move.from, move.to}) {
    if (auto found = records_.find(directory); found != records_.end()) told = std::max(told, found->second.told_until);
  }
  TimePoint until;
  if (!IsLeased(move.to)) until = told_entries_.UntilOf(move.to, move.new_name);
  if (move.exchange && !IsLeased(move.from)) until = std::max(until, told_entries_.UntilOf(move.from, move.name));
  if (move.from == move.to || told <= running_.At(now)) return until;
  for (Ino directory : {move.from, move.to}) {
    if (IsLeased(directory)) {
      Tell(records_.at(directory), told);
    } else {
      until = std::max(until, told);
    }
  }
  return until;
}

ToldEntries::Names LeaseCache::ToldOf(const Entries& entries, std::uint64_t up_to, TimePoint now) {
  std::lock_guard lock(mutex_);
  return told_entries_.Of(entries.directory, entries.names, up_to, running_.At(now));
}

void LeaseCache::Forgotten(Ino directory, const std::vector<std::string>& names, std::uint64_t up_to) {
  std::lock_guard lock(mutex_);
  told_entries_.Remove(directory, names, up_to);
}

TimePoint LeaseCache::told_entries_until() const {
  std::lock_guard lock(mutex_);
  return told_entries_.until();
}

bool LeaseCache::UsesToldEntries(TimePoint now) {
  std::lock_guard lock(mutex_);
  return running_.At(now) < told_entries_.until();
}

bool LeaseCache::IsLeased(Ino ino) const {
  auto found = records_.find(ino);
  return found != records_.end() && found->second.lease != 0;
}

TimePoint LeaseCache::Running(TimePoint now) {
  std::lock_guard lock(mutex_);
  return running_.At(now);
}

}  // namespace gabion
