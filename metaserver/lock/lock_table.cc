#include "metaserver/lock/lock_table.h"

#include <algorithm>
#include <utility>

namespace gabion {

namespace {

// Owners that the search for a circle looks at; one that is larger is not found.
constexpr std::size_t kMaxSearched = 1024;

}  // namespace

const RangeLock* LockTable::FindConflict(Ino ino, const RangeLock& wanted) const {
  auto file = files_.find(ino);
  return file == files_.end() ? nullptr : file->second.held.FindConflict(wanted);
}

bool LockTable::Covers(Ino ino, const RangeLock& lock) const {
  auto file = files_.find(ino);
  return file != files_.end() && file->second.held.Covers(lock);
}

bool LockTable::IsOnlyOf(SessionId session, Ino ino) const {
  auto file = files_.find(ino);
  if (file == files_.end()) return true;
  const auto is_own = [session](const LockOwner& owner) { return owner.session == session.value(); };
  const std::vector<RangeLock>& held = file->second.held.all();
  const std::list<Waiter>& waiters = file->second.waiters;
  return std::all_of(held.begin(), held.end(), [&](const RangeLock& lock) { return is_own(lock.owner); }) &&
         std::all_of(waiters.begin(), waiters.end(), [&](const Waiter& waiter) { return is_own(waiter.wanted.owner); });
}

bool LockTable::HasToQueue(Ino ino, const RangeLock& wanted) const {
  auto file = files_.find(ino);
  if (file == files_.end() || HoldsAny(wanted)) return false;
  const std::list<Waiter>& waiters = file->second.waiters;
  return std::any_of(waiters.begin(), waiters.end(),
                     [&](const Waiter& waiter) { return waiter.wanted.ConflictsWith(wanted); });
}

bool LockTable::WouldDeadlock(Ino ino, const RangeLock& wanted) const {
  if (wanted.owner.kind != LockKind::kPosix) return false;
  std::set<LockOwner> seen;
  std::vector<std::pair<Ino, RangeLock>> open{{ino, wanted}};
  while (!open.empty() && seen.size() < kMaxSearched) {
    const auto [at, blocked] = open.back();
    open.pop_back();
    auto file = files_.find(at);
    if (file == files_.end()) continue;
    for (const RangeLock& lock : file->second.held.all()) {
      if (!lock.ConflictsWith(blocked)) continue;
      if (lock.owner == wanted.owner) return true;
      if (!seen.insert(lock.owner).second) continue;
      for (const auto& [number, place] : waits_) {
        if (place.waiter->wanted.owner == lock.owner) open.emplace_back(place.ino, place.waiter->wanted);
      }
    }
  }
  return false;
}

LockTable::Counts LockTable::CountsOf(SessionId session) const {
  Counts counts;
  for (auto process = held_by_.lower_bound({session.value(), 0});
       process != held_by_.end() && process->first.first == session.value(); ++process) {
    counts.held += process->second;
  }
  for (auto wait = waits_.lower_bound({session, 0}); wait != waits_.end() && wait->first.first == session; ++wait)
    ++counts.waits;
  return counts;
}

bool LockTable::HasRoom(SessionId session) const {
  const Counts counts = CountsOf(session);
  return counts.held < kMaxPerSession && counts.waits < kMaxWaitsPerSession;
}

bool LockTable::Involves(SessionId session) const {
  auto process = held_by_.lower_bound({session.value(), 0});
  auto wait = waits_.lower_bound({session, 0});
  return (process != held_by_.end() && process->first.first == session.value()) ||
         (wait != waits_.end() && wait->first.first == session);
}

std::size_t LockTable::CountOf(const RangeLocks& locks, const Process& process) {
  return static_cast<std::size_t>(std::count_if(locks.all().begin(), locks.all().end(),
                                                [&](const RangeLock& lock) { return ProcessOf(lock) == process; }));
}

void LockTable::ChangeHeld(Ino ino, File& file, const std::function<void(RangeLocks& held)>& change) {
  std::map<Process, std::size_t> before;
  for (const RangeLock& lock : file.held.all()) ++before[ProcessOf(lock)];
  change(file.held);
  for (const RangeLock& lock : file.held.all()) before.try_emplace(ProcessOf(lock), 0);
  for (const auto& [process, count] : before) Recount(process, count, CountOf(file.held, process));
  changed_.insert(ino);
}

void LockTable::Recount(const Process& process, std::size_t before, std::size_t after) {
  if (before == after) return;
  std::size_t& count = held_by_[process];
  const bool held_nothing = count == 0;
  count += after - before;
  if (count == 0) held_by_.erase(process);
  if (!held_nothing) return;
  // What its other threads wait for is held up by nobody who only waits any more.
  for (const auto& [number, place] : waits_) {
    if (ProcessOf(place.waiter->wanted) == process) changed_.insert(place.ino);
  }
}

void LockTable::Set(Ino ino, const RangeLock& lock) {
  ChangeHeld(ino, files_[ino], [&lock](RangeLocks& held) { held.Set(lock); });
}

void LockTable::Clear(Ino ino, const LockOwner& owner, std::uint64_t begin, std::uint64_t last) {
  auto file = files_.find(ino);
  if (file == files_.end()) return;
  ChangeHeld(ino, file->second, [&](RangeLocks& held) { held.Clear(owner, begin, last); });
}

void LockTable::Wait(Ino ino, const RangeLock& wanted, std::uint64_t wait, TimePoint now) {
  const std::pair<SessionId, std::uint64_t> number(SessionId(wanted.owner.session), wait);
  if (waits_.contains(number)) return;
  std::list<Waiter>& waiters = files_[ino].waiters;
  waits_[number] = {ino, waiters.insert(waiters.end(), Waiter{wanted, wait, now, true})};
  changed_.insert(ino);
}

void LockTable::Cancel(SessionId session, std::uint64_t wait) {
  auto found = waits_.find({session, wait});
  if (found == waits_.end()) return;
  const Place place = found->second;
  waits_.erase(found);
  files_[place.ino].waiters.erase(place.waiter);
  changed_.insert(place.ino);  // it may have held up others
}

void LockTable::Drop(SessionId session) {
  refusing_.erase(session);
  for (auto wait = waits_.lower_bound({session, 0}); wait != waits_.end() && wait->first.first == session;) {
    files_[wait->second.ino].waiters.erase(wait->second.waiter);
    changed_.insert(wait->second.ino);
    wait = waits_.erase(wait);
  }
  if (!Involves(session)) return;
  const auto is_its_own = [session](const LockOwner& owner) { return owner.session == session.value(); };
  for (auto& [ino, file] : files_) {
    ChangeHeld(ino, file, [&](RangeLocks& held) { held.DropIf(is_its_own); });
  }
}

std::set<SessionId> LockTable::TakeWanted() {
  std::set<SessionId> wanted = std::exchange(refusing_, {});
  for (const auto& [number, place] : waits_) {
    for (const RangeLock& lock : files_.at(place.ino).held.all()) {
      const SessionId holder(lock.owner.session);
      if (holder != number.first && lock.ConflictsWith(place.waiter->wanted)) wanted.insert(holder);
    }
  }
  return wanted;
}

void LockTable::EndQueueing(TimePoint now) {
  for (const auto& [number, place] : waits_) {
    Waiter& waiter = *place.waiter;
    if (!waiter.queues || now < waiter.since + kQueueFor) continue;
    waiter.queues = false;
    changed_.insert(place.ino);
  }
}

std::vector<LockTable::Granted> LockTable::Grant() {
  std::vector<Granted> granted;
  while (!changed_.empty()) {
    const Ino ino = *changed_.begin();
    changed_.erase(changed_.begin());
    auto file = files_.find(ino);
    if (file == files_.end()) continue;
    while (GrantOneIn(ino, file->second, granted)) changed_.erase(ino);
    if (file->second.held.empty() && file->second.waiters.empty()) files_.erase(file);
  }
  return granted;
}

/// The first in the order of coming that can be had; false if there is none.
bool LockTable::GrantOneIn(Ino ino, File& file, std::vector<Granted>& granted) {
  for (auto waiter = file.waiters.begin(); waiter != file.waiters.end(); ++waiter) {
    const RangeLock wanted = waiter->wanted;
    const bool is_held_up = waiter->queues && !HoldsAny(wanted) &&
                            std::any_of(file.waiters.begin(), waiter,
                                        [&](const Waiter& earlier) { return earlier.wanted.ConflictsWith(wanted); });
    if (is_held_up || file.held.FindConflict(wanted) != nullptr) continue;
    granted.push_back({waiter->session(), waiter->wait});
    waits_.erase({waiter->session(), waiter->wait});
    file.waiters.erase(waiter);
    Set(ino, wanted);
    return true;
  }
  return false;
}

std::size_t LockTable::size() const {
  std::size_t size = 0;
  for (const auto& [process, count] : held_by_) size += count;
  return size;
}

}  // namespace gabion
