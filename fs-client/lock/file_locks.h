#pragma once

#include <optional>

#include "fs-client/lock/held_locks.h"
#include "fs-client/session/meta_call.h"

namespace gabion {

/// fcntl(2)'s and flock(2)'s locks, at the metaserver, or here while nobody else wants any (docs/locks.md). Owners and
/// inode numbers as HeldLocks has them. Any loop.
class FileLocks {
 public:
  /// All outlive it. `leases` tells for how long the session is good.
  FileLocks(MetaCalls& meta, const LeaseCache& leases, HeldLocks& held) : meta_(meta), leases_(leases), held_(held) {}

  /// Takes a lock, if need be when others have let go of theirs. Errors: kLocked (others have it, and `wait` is not
  /// set), kCancelled (interrupted), kDeadlock, kNoLocks.
  Task<Result<void>> Set(ClientLoop* loop, Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait);
  Task<Result<void>> Clear(ClientLoop* loop, Ino ino, HandleId handle, RangeLock range);
  /// A lock of others that is in the way.
  Task<Result<std::optional<RangeLock>>> Test(ClientLoop* loop, Caller caller, Ino ino, RangeLock lock);

  /// Has the metaserver know what was given out of the file here. Errors: it may not know all.
  Task<Result<void>> NameHere(ClientLoop* loop, Ino ino);

  /// Somebody closes the file: from now on nobody is refused a lock for what he has of it. Until EndRelease.
  void BeginRelease(Ino ino) { held_.BeginRelease(ino); }
  void EndRelease(Ino ino) { held_.EndRelease(ino); }
  /// close(2): a process loses its locks of the file with any of its descriptors.
  Task<void> ReleaseOwner(ClientLoop* loop, Ino ino, LockOwner owner);
  /// The last close of an open file.
  Task<void> ReleaseHandle(ClientLoop* loop, Ino ino, HandleId handle);
  /// Whether the owner may have locks of the file.
  bool HasLocks(Ino ino, const LockOwner& owner) const { return held_.Has(ino, owner); }
  /// Whether the file's locks were given out without the metaserver: nobody else has or wants any.
  bool AreHere(Ino ino) const { return held_.IsHere(ino); }
  /// Whether any lock may have been taken through the handle.
  bool HasLocks(Ino ino, HandleId handle) const { return !held_.OwnersBy(ino, handle).empty(); }

 private:
  /// A lock is asked for, in as many requests as it takes.
  struct Wanted {
    Ino ino;
    HandleId handle;
    RangeLock lock;
    HeldLocks::WaitPtr wait;  // null: it is had at once or not at all
    bool is_queued = false;   // the metaserver may have been asked to queue it
  };
  /// What the metaserver says.
  enum class Verdict { kGranted, kQueued, kRefused, kRefusedByOwn };
  Task<Result<Verdict>> Ask(ClientLoop* loop, Caller caller, Wanted& wanted);
  Task<Result<void>> Take(ClientLoop* loop, Caller caller, Wanted& wanted);
  Task<Result<void>> GiveUp(ClientLoop* loop, Wanted& wanted, Error why);
  Task<HeldLocks::Removed> Remove(Ino ino, LockOwner owner, std::uint64_t begin, std::uint64_t last);
  Task<Result<void>> Unlock(ClientLoop* loop, Ino ino, LockOwner owner, std::uint64_t begin, std::uint64_t last);

  MetaCalls& meta_;
  const LeaseCache& leases_;
  HeldLocks& held_;
};

}  // namespace gabion
