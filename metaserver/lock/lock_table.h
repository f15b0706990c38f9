#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "common/lock/range_locks.h"

namespace gabion {

/// The locks of a volume's files, and who waits for them (docs/locks.md). In memory: clients name what they hold when
/// they resume their sessions. On the volume's strand.
///
/// Who waits gets its lock in the order of coming. A request is also held up by those that came before it and still
/// wait, but for kQueueFor at most and not if its process holds locks: whoever comes before may be waiting for it, by
/// ways that are not seen here.
class LockTable {
 public:
  /// All of them fit one OpenSessionRequest.
  static constexpr std::size_t kMaxPerSession = 8192;
  static constexpr std::size_t kMaxWaitsPerSession = 4096;

  static constexpr Duration kQueueFor = std::chrono::seconds(1);

  /// A lock of others that is in the way; null if there is none.
  const RangeLock* FindConflict(Ino ino, const RangeLock& wanted) const;
  /// Whether somebody who waits goes first.
  bool HasToQueue(Ino ino, const RangeLock& wanted) const;
  /// Whether those who hold what is in the way wait, themselves or by others, for the owner of `wanted`. Of fcntl's
  /// locks only, as on Linux.
  bool WouldDeadlock(Ino ino, const RangeLock& wanted) const;
  struct Counts {
    std::size_t held = 0;
    std::size_t waits = 0;
  };
  Counts CountsOf(SessionId session) const;
  /// Whether the session may hold, and wait for, one more.
  bool HasRoom(SessionId session) const;
  bool Waits(SessionId session, std::uint64_t wait) const { return waits_.contains({session, wait}); }
  /// Whether the session holds or waits for any.
  bool Involves(SessionId session) const;
  /// Whether the owner has all of this, as strong or stronger.
  bool Covers(Ino ino, const RangeLock& lock) const;

  /// Whether no other session holds or waits for one of the file.
  bool IsOnlyOf(SessionId session, Ino ino) const;

  /// Takes the lock, which conflicts with none.
  void Set(Ino ino, const RangeLock& lock);
  void Clear(Ino ino, const LockOwner& owner, std::uint64_t begin, std::uint64_t last);
  /// Waits for it under a number of the session's choice. Idempotent.
  void Wait(Ino ino, const RangeLock& wanted, std::uint64_t wait, TimePoint now);
  void Cancel(SessionId session, std::uint64_t wait);
  /// The session holds and wants nothing any more.
  void Drop(SessionId session);

  /// The session's lock refused somebody who does not wait.
  void NoteRefusal(SessionId holder) { refusing_.insert(holder); }
  /// The sessions whose locks others wait for, or were refused for since the last call.
  std::set<SessionId> TakeWanted();

  struct Granted {
    SessionId session;
    std::uint64_t wait = 0;
  };
  /// Those who have queued for long enough are held up no more.
  void EndQueueing(TimePoint now);
  /// Gives those who wait what is free. To be called after every change, but not while locks of before a restart may
  /// not have been named yet.
  std::vector<Granted> Grant();

  std::size_t size() const;

 private:
  struct Waiter {
    RangeLock wanted;
    std::uint64_t wait = 0;
    TimePoint since;
    bool queues = true;  // behind those who came before
    SessionId session() const { return SessionId(wanted.owner.session); }
  };
  struct File {
    RangeLocks held;
    std::list<Waiter> waiters;  // the first to come first
  };
  struct Place {
    Ino ino;
    std::list<Waiter>::iterator waiter;
  };

  /// A process of a session. Its locks may have several owners: one for each open file that it has locked with flock.
  using Process = std::pair<std::uint64_t, std::uint32_t>;
  static Process ProcessOf(const RangeLock& lock) { return {lock.owner.session, lock.pid}; }
  static std::size_t CountOf(const RangeLocks& locks, const Process& process);

  bool HoldsAny(const RangeLock& wanted) const { return held_by_.contains(ProcessOf(wanted)); }
  /// Runs `change` on the file's locks, and keeps count.
  void ChangeHeld(Ino ino, File& file, const std::function<void(RangeLocks& held)>& change);
  void Recount(const Process& process, std::size_t before, std::size_t after);
  bool GrantOneIn(Ino ino, File& file, std::vector<Granted>& granted);

  std::unordered_map<Ino, File> files_;
  std::map<Process, std::size_t> held_by_;  // how many
  std::map<std::pair<SessionId, std::uint64_t>, Place> waits_;
  std::set<Ino> changed_;  // since the last Grant
  std::set<SessionId> refusing_;
};

}  // namespace gabion
