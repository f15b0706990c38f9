#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"

namespace gabion {

/// What this process remembers of its placement groups beside the map: which epoch is settled, which it serves as their
/// primary, which changes are under way (docs/replication.md). Nothing of it survives the process, and need not: a
/// restarted server gets new epochs. Any loop.
class PgTable {
 public:
  /// A change of a chunk that is under way here, on a primary or another member. Counts until it goes.
  class [[nodiscard]] Change {
   public:
    Change() = default;
    Change(PgTable* table, PgId pg, ChunkId chunk) : table_(table), pg_(pg), chunk_(chunk) {}
    Change(Change&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), pg_(other.pg_), chunk_(other.chunk_) {}
    Change& operator=(Change&&) = delete;
    ~Change() {
      if (table_ != nullptr) table_->EndChange(pg_, chunk_);
    }

   private:
    PgTable* table_ = nullptr;
    PgId pg_;
    ChunkId chunk_;
  };

  struct Release {
    PgId pg;
    Epoch epoch;
  };

  /// `on_failed` is called, on any loop, when a PG must be settled again.
  explicit PgTable(std::function<void(PgId)> on_failed) : on_failed_(std::move(on_failed)) {}

  // Changes under way.

  /// Before the last look at epoch, fence and Serves(): so whoever asks for the changes after it has raised one of them
  /// finds every change that did not see that. `as_primary`: it counts for TakeTouched.
  Change BeginChange(PgId pg, ChunkId chunk, bool as_primary);
  /// Ascending.
  std::vector<ChunkId> ChangesOf(PgId pg) const;
  bool IsChanging(PgId pg, ChunkId chunk) const;
  /// Chunks of which changes began here as the primary since the last call.
  std::vector<ChunkId> TakeTouched(PgId pg);
  /// Whether a change of it began since TakeTouched.
  bool WasTouched(PgId pg, ChunkId chunk) const;

  // Members.

  /// The primary says that all members in sync are the same.
  void SetSettled(PgId pg, Epoch epoch);
  bool IsSettled(PgId pg, Epoch epoch) const;
  /// The metaserver asks this server to leave: up to this epoch it neither serves as a primary nor is settled as a
  /// member any more.
  void SetReleased(PgId pg, Epoch epoch);
  bool IsReleased(PgId pg, Epoch epoch) const;
  std::vector<Release> Releases() const;
  /// The map has gone on.
  void ForgetRelease(PgId pg);

  // Primaries.

  /// From now on the PG does not serve. Returns what EndSettling wants.
  std::uint64_t BeginSettling(PgId pg);
  /// It serves in `epoch` from now on; false, and it does not, if something failed since BeginSettling, or it was
  /// released.
  bool EndSettling(PgId pg, Epoch epoch, std::uint64_t turn);
  bool Serves(PgId pg, Epoch epoch) const;
  /// Settling has ended without success; `full`: a member, or this server, has no space to become equal.
  void NoteSettlingFailed(PgId pg, Epoch epoch, bool full);
  /// The PG does not serve in this epoch, for want of space.
  bool WaitsForSpace(PgId pg, Epoch epoch) const;
  /// A change has reached some members and perhaps not others: the PG does not serve until it has settled.
  void Fail(PgId pg, Epoch epoch);
  /// A member, this server included, had no space for a change.
  void NoteFull(PgId pg, Epoch epoch, ServerId member, TimePoint now);
  struct Full {
    PgId pg;
    Epoch epoch;
    ServerId member;
  };
  /// Whether a member was noted in this epoch and later than `after`.
  bool HasFullMember(PgId pg, Epoch epoch, TimePoint after) const;
  /// Noted later than `after`.
  std::vector<Full> FullMembers(TimePoint after) const;

 private:
  struct Group {
    std::map<ChunkId, unsigned> changes;  // with how many there are
    std::set<ChunkId> touched;            // changed since TakeTouched
    Epoch settled;
    Epoch released;
    Epoch serves;
    std::uint64_t turn = 0;  // raised by every beginning and failure
    Epoch waits_for_space;
    Epoch full_epoch;  // of `full`
    std::map<ServerId, TimePoint> full;
  };

  void EndChange(PgId pg, ChunkId chunk);
  const Group* FindLocked(PgId pg) const;

  const std::function<void(PgId)> on_failed_;
  mutable std::mutex mutex_;
  std::map<PgId, Group> groups_;
};

}  // namespace gabion
