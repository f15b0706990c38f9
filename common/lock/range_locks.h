#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace gabion {

/// fcntl(2)'s and flock(2)'s locks do not see each other.
enum class LockKind : std::uint32_t { kPosix = 1, kFlock = 2 };

/// Whose a lock is: a process or an open file, as the kernel of a client numbers them.
struct LockOwner {
  std::uint64_t session = 0;  // of a client; 0 within a client
  LockKind kind = LockKind::kPosix;
  std::uint64_t number = 0;
  friend auto operator<=>(const LockOwner&, const LockOwner&) = default;
};

/// A lock on the bytes from `begin` to `last`, both included; to the end of the file, however long: kLastByte.
struct RangeLock {
  static constexpr std::uint64_t kLastByte = ~std::uint64_t{0};

  LockOwner owner;
  bool exclusive = false;
  std::uint64_t begin = 0;
  std::uint64_t last = kLastByte;
  std::uint32_t pid = 0;  // for those who ask who is in their way

  bool Overlaps(std::uint64_t from, std::uint64_t to) const { return begin <= to && from <= last; }
  bool ConflictsWith(const RangeLock& other) const {
    return owner.kind == other.owner.kind && owner != other.owner && (exclusive || other.exclusive) &&
           Overlaps(other.begin, other.last);
  }
  friend bool operator==(const RangeLock&, const RangeLock&) = default;
};

/// The locks on one file. An owner's locks replace each other where they overlap, and merge where they touch (POSIX,
/// fcntl). Pure.
class RangeLocks {
 public:
  /// One that another owner holds; null if there is none.
  const RangeLock* FindConflict(const RangeLock& wanted) const;
  /// Takes the lock, which conflicts with none.
  void Set(const RangeLock& lock);
  /// The owner gives up what it has of the range.
  void Clear(const LockOwner& owner, std::uint64_t begin, std::uint64_t last);
  void DropIf(const std::function<bool(const LockOwner& owner)>& condition);

  std::size_t CountOf(const LockOwner& owner) const;
  /// Whether the owner has all of this, as strong or stronger.
  bool Covers(const RangeLock& lock) const;
  bool empty() const { return locks_.empty(); }
  /// In no order.
  const std::vector<RangeLock>& all() const { return locks_; }

 private:
  std::vector<RangeLock> locks_;
};

}  // namespace gabion
