#include "common/lock/range_locks.h"

#include <algorithm>

namespace gabion {

const RangeLock* RangeLocks::FindConflict(const RangeLock& wanted) const {
  for (const RangeLock& lock : locks_) {
    if (lock.ConflictsWith(wanted)) return &lock;
  }
  return nullptr;
}

void RangeLocks::Set(const RangeLock& lock) {
  Clear(lock.owner, lock.begin, lock.last);
  RangeLock merged = lock;
  // At most one on each side touches: those of an owner are disjoint.
  std::erase_if(locks_, [&](const RangeLock& other) {
    if (other.owner != lock.owner || other.exclusive != lock.exclusive) return false;
    const bool before = other.last != RangeLock::kLastByte && other.last + 1 == lock.begin;
    const bool after = lock.last != RangeLock::kLastByte && lock.last + 1 == other.begin;
    if (before) merged.begin = other.begin;
    if (after) merged.last = other.last;
    return before || after;
  });
  locks_.push_back(merged);
}

void RangeLocks::Clear(const LockOwner& owner, std::uint64_t begin, std::uint64_t last) {
  std::vector<RangeLock> rests;
  std::erase_if(locks_, [&](const RangeLock& lock) {
    if (lock.owner != owner || !lock.Overlaps(begin, last)) return false;
    if (lock.begin < begin) {
      rests.push_back(lock);
      rests.back().last = begin - 1;
    }
    if (lock.last > last) {
      rests.push_back(lock);
      rests.back().begin = last + 1;
    }
    return true;
  });
  locks_.insert(locks_.end(), rests.begin(), rests.end());
}

void RangeLocks::DropIf(const std::function<bool(const LockOwner& owner)>& condition) {
  std::erase_if(locks_, [&](const RangeLock& lock) { return condition(lock.owner); });
}

bool RangeLocks::Covers(const RangeLock& lock) const {
  RangeLocks missing;
  missing.locks_.push_back(lock);
  for (const RangeLock& held : locks_) {
    if (held.owner == lock.owner && (held.exclusive || !lock.exclusive))
      missing.Clear(lock.owner, held.begin, held.last);
  }
  return missing.empty();
}

std::size_t RangeLocks::CountOf(const LockOwner& owner) const {
  return static_cast<std::size_t>(
      std::count_if(locks_.begin(), locks_.end(), [&](const RangeLock& lock) { return lock.owner == owner; }));
}

}  // namespace gabion
