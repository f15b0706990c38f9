#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/coro/async_event.h"
#include "common/env/clock.h"
#include "metaserver/lease/contention.h"
#include "proto/meta.pb.h"

namespace gabion {

/// Which sessions may cache which inodes of one volume (docs/leases.md): `R` leases, which any number of sessions hold
/// at once until somebody wants to change the inode; and `W` leases, beside which nobody else holds any. In memory
/// only; on the volume's strand.
///
/// Grants and recalls have numbers from one sequence, so that a client can tell which of an answer and a recall that
/// cross each other came later.
class LeaseTable {
 public:
  enum class Mode { kRead, kWrite };

  /// Above it the session's oldest leases are recalled.
  static constexpr std::size_t kMaxPerSession = 65536;
  /// Of all sessions; above it nothing more is granted, and near it the largest holder's oldest are recalled. Some 200
  /// bytes each.
  static constexpr std::size_t kMaxLeases = 262144;

  /// `era` tells this table from those of earlier processes.
  explicit LeaseTable(std::uint64_t era) : era_(era) {}

  std::uint64_t era() const { return era_; }
  std::uint64_t last_number() const { return last_number_; }
  /// For an answer that grants, or tells of a change.
  std::uint64_t TakeNumber() { return ++last_number_; }

  /// Whether nobody waits to change the inode, or (unless `despite_contention`) did a moment ago, and there is room.
  bool MayGrant(SessionId session, Ino ino, TimePoint now, bool despite_contention = false) const;
  /// Whether nobody else holds a lease on the inode, and there is room. Unless the session has waited for it
  /// (`awaited`): whether nobody else wants one either.
  bool MayGrantWrite(SessionId session, Ino ino, bool awaited, TimePoint now) const;
  /// By the answer of that number. A write lease stays one. If others want it, it is recalled at once.
  void Grant(SessionId session, Ino ino, Mode mode, std::uint64_t number, TimePoint now);
  /// The sessions that hold a lease on the inode.
  std::vector<SessionId> Holders(Ino ino) const;
  /// Who holds a write lease on it; none: nobody.
  SessionId Writer(Ino ino) const;
  /// On which it holds one.
  std::vector<Ino> WrittenBy(SessionId session) const;
  std::size_t CountOf(SessionId session) const;
  std::size_t size() const { return size_; }

  /// Somebody waits to change the inode, or (kRead) to look at it: until as many EndWanting, nobody else is granted a
  /// lease on it, and those who hold one that is in the way are asked to return it.
  void BeginWanting(SessionId own, Ino ino, Mode mode, TimePoint now);
  void EndWanting(SessionId own, Ino ino);
  /// Set when at most one lease on the inode, which is wanted, is left, and by the first EndWaits from `until` on.
  std::shared_ptr<AsyncEvent> NextReturn(Ino ino, TimePoint until);
  /// Has all who wait to change an inode look again.
  void WakeAllWaiting();
  /// The inodes that somebody waits for.
  std::vector<Ino> Wanted() const;

  /// What the session is to return and was recalled after that number.
  std::vector<proto::Recall> RecallsAfter(SessionId session, std::uint64_t number) const;
  /// A lock that the session waits for under that number is granted: it is told like a recall.
  void TellGranted(SessionId session, std::uint64_t wait);
  /// What was granted after that number; forgets what was before.
  std::vector<proto::LockGrant> TakeGrantsAfter(SessionId session, std::uint64_t number);
  /// Set at the session's next recall or granted lock. A wait that began before ends now.
  std::shared_ptr<AsyncEvent> NextRecall(SessionId session, TimePoint until);
  /// Ends the waits whose time is over.
  void EndWaits(TimePoint now);
  /// Whether the session has not returned a read lease that was recalled at `before` or earlier. A write lease takes
  /// as long as the chunkservers need to take in what was written under it.
  bool IsOverdue(SessionId session, TimePoint before) const;
  struct Outstanding {
    SessionId session;
    Ino ino;
    TimePoint since;
    Mode mode = Mode::kRead;
  };
  /// What was recalled first of all that has not been returned.
  std::optional<Outstanding> OldestRecall() const;
  /// What was recalled from the session first and it has not returned, at most `max_count`.
  std::vector<Outstanding> OldestRecalls(SessionId session, std::size_t max_count) const;
  std::size_t RecallCountOf(SessionId session) const;
  /// How often something was recalled from it.
  std::uint64_t RecallsTotalOf(SessionId session) const;

  /// The session no longer holds what it was granted before that recall.
  void Return(SessionId session, Ino ino, std::uint64_t number);
  /// What it was granted up to that number is no write lease any more.
  void Downgrade(SessionId session, Ino ino, std::uint64_t number);
  /// The session holds nothing any more. Of granted locks it is still told.
  void Drop(SessionId session);
  /// The session holds no leases any more but for write leases.
  void DropReads(SessionId session);
  void ForgetGrants(SessionId session);
  /// The session has ended: forgets all that is known of it.
  void End(SessionId session);
  /// No more leases; ends all waits, also those that begin from now on.
  void Close();
  bool closed() const { return closed_; }

 private:
  struct Holder {
    SessionId session;
    Mode mode = Mode::kRead;
    std::uint64_t granted = 0;
    std::uint64_t recalled = 0;       // 0: not
    std::list<Ino>::iterator by_age;  // in Holdings::by_age
  };
  struct Waiting {
    std::shared_ptr<AsyncEvent> event;
    TimePoint until;
  };
  struct Want {
    std::map<SessionId, std::size_t> by;
    std::vector<Waiting> waiting;
  };
  struct Recalled {
    Ino ino;
    TimePoint at;
    Mode mode = Mode::kRead;
  };
  struct Holdings {
    std::list<Ino> by_age;  // the oldest first
    std::map<std::uint64_t, Recalled> recalls;
    std::map<std::uint64_t, std::uint64_t> granted_locks;  // by number, what the session calls them
    std::shared_ptr<AsyncEvent> next_recall;
    TimePoint wait_until;
  };

  Holder* Find(SessionId session, Ino ino);
  bool IsWantedByOthers(SessionId session, Ino ino) const;
  void RecallFrom(Holder& holder, Ino ino, TimePoint now);
  void RecallOldest(SessionId session, TimePoint now);
  SessionId Largest() const;
  void Remove(SessionId session, Ino ino);
  void WakeWaiting(Ino ino);

  const std::uint64_t era_;
  std::uint64_t last_number_ = 0;
  std::size_t size_ = 0;
  bool closed_ = false;
  std::unordered_map<Ino, std::vector<Holder>> holders_;
  std::map<SessionId, Holdings> sessions_;
  std::map<SessionId, std::uint64_t> recalls_total_;  // also of those that hold nothing now
  std::map<Ino, Want> wanted_;
  Contention contention_;
};

}  // namespace gabion
