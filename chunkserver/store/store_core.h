#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "chunkserver/store/range_locks.h"
#include "chunkserver/store/store_state.h"
#include "chunkserver/store/watched_index.h"
#include "common/coro/async_event.h"
#include "common/coro/async_mutex.h"
#include "common/coro/task_group.h"
#include "common/env/disk.h"
#include "common/env/env.h"
#include "common/rpc/cancellable_sleep.h"

namespace gabion {

struct StoreOptions {
  std::uint64_t slab_bytes = kGiB;                   // of a new store; an old one keeps its own
  Duration sync_interval = std::chrono::seconds(5);  // what is not synced by then is, so that little is pending
  Duration upkeep_interval = std::chrono::seconds(1);
  std::size_t pending_pages_max = 16384;  // 1 GiB; beyond it writers wait for a sync, at half of it one starts
  std::uint32_t inline_write_bytes_max = 16 * kKiB;  // durable writes up to this go into the index first; 0: none
  std::size_t inline_blocks_max = 8192;              // 32 MiB in memory and in the index's log
  Duration tombstone_keep = std::chrono::hours(1);   // longer than a change can be on its way
};

/// What space is wanted for. What is set aside is for making copies equal that serve: on full disks, too, that must go
/// on.
enum class Purpose { kOrdinary, kLastResort };

/// Blocks that a write will fill. Gives them back when it goes, unless they were committed.
class Reservation {
 public:
  Reservation() = default;
  Reservation(class StoreCore* core, std::vector<BlockRun> runs) : core_(core), runs_(std::move(runs)) {}
  Reservation(Reservation&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), runs_(std::move(other.runs_)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(runs_, other.runs_);
    return *this;
  }
  ~Reservation();

  const std::vector<BlockRun>& runs() const { return runs_; }
  void Committed() { core_ = nullptr; }

 private:
  StoreCore* core_ = nullptr;
  std::vector<BlockRun> runs_;
};

/// What the operations of a store (write.cc, read.cc, ...) are made of: locks, look-ups, blocks, commits, syncs. Any
/// loop.
class StoreCore {
 public:
  /// `env` is of the loop that does the upkeep. All of them outlive the core.
  StoreCore(Env& env, Disk& disk, KvStore& index, std::string name, StoreOptions options);
  ~StoreCore();  // Stop() first

  const StoreOptions& options() const { return options_; }
  const std::string& name() const { return name_; }

  // Life (open.cc).

  /// Reads what is there, or makes a new store; after a power loss settles what was under way. The rest is called after
  /// it. Errors: kVersionMismatch, kCorrupt, kIo, kNoSpace.
  Task<Result<void>> Open();
  /// Ends the upkeep. No operation is under way, none follows.
  Task<void> Stop();

  RangeLocks& locks() { return locks_; }

  // Errors that end everything.

  /// Errors: kUnavailable, with the reason, once the store is offline, or its index damaged.
  Result<void> CheckOnline() const;
  /// The disk failed: from now on everything is refused.
  void GoOffline(const Error& reason);
  std::optional<std::string> offline_reason() const;
  /// Why the store has to be made anew: its index is damaged, so that nobody can say any more what it has.
  std::optional<Error> damage() const;

  // Look-ups.

  Task<Result<std::optional<ChunkRecord>>> FindChunk(ChunkId chunk);
  /// One record a page of `range`, by the index alone; pages beyond `length_bytes` (the chunk's) are not looked up.
  Task<Result<std::vector<PageRecord>>> FindPages(ChunkId chunk, PageRange range, std::uint32_t length_bytes);
  std::vector<InlineWrite> FindInline(ChunkId chunk, std::uint16_t first_block, std::uint16_t last_block);

  // Blocks.

  /// Keeps freed blocks as they are while somebody reads. A read begins before it looks up what to read.
  class ReadScope {
   public:
    explicit ReadScope(StoreCore& core);
    ~ReadScope();
    ReadScope(const ReadScope&) = delete;
    ReadScope& operator=(const ReadScope&) = delete;

   private:
    StoreCore& core_;
    ReuseGate::Ticket ticket_;
  };

  /// Errors: kNoSpace, after what can be reclaimed was.
  Task<Result<Reservation>> Reserve(std::uint32_t block_count, Purpose purpose);
  Task<Result<Slice>> ReadBlocks(BlockRun run);
  Task<Result<void>> WriteBlocks(BlockRun run, Payload payload);
  /// One block, verified. Errors: kCorrupt if its bytes do not fit the checksum.
  Task<Result<Slice>> ReadVerified(BlockEntry block);

  // Commits.

  /// All of `change` or nothing, at once visible; survives the process. The blocks of `reservation` are written.
  Task<Result<void>> Commit(IndexChange change, Reservation reservation);
  /// Waits while more is unsynced than the store wants to answer for. Before locks are taken.
  Task<void> WaitForRoom();
  /// For tombstones.
  std::int64_t WallNowNs() const { return env_.clock.WallNowNs(); }
  /// Whether `count` more inline blocks fit. Unless `even_if_full`, the disk must have room for them when they move.
  bool InlineRoom(std::size_t count, bool even_if_full) const;

  // Groups and their unsettled chunks (groups.cc).

  bool IsUnsettled(GroupChunkKey key) const;
  Task<Result<void>> ClearUnsettled(PgId pg, std::vector<ChunkId> chunks);
  /// The first `count` of the group's unsettled chunks after `after`, in order.
  std::vector<ChunkId> FindUnsettled(PgId pg, ChunkId after, std::size_t count) const;
  /// Calls `visit` for each chunk of the group whose last change was in a later epoch than `after_epoch`; perhaps twice
  /// for one that changes meanwhile.
  Task<Result<void>> ScanGroup(PgId pg, Epoch after_epoch, std::function<void(ChunkId)> visit);
  /// Calls `visit` for chunks after `after`, in order, until it says false.
  Task<Result<void>> ScanChunks(ChunkId after, std::function<bool(ChunkId, const ChunkRecord&)> visit);
  /// Groups of which there are chunks, ascending.
  Task<Result<std::vector<PgId>>> FindGroups();

  // Syncs (sync.cc).

  /// What was committed before the call survives power loss after it. Concurrent calls share one round.
  Task<Result<void>> Sync();
  /// The same for commits whose data is in the index.
  Task<Result<void>> SyncIndex();
  /// The one of both that a commit needs.
  Task<Result<void>> MakeDurable(bool in_index_only) { return in_index_only ? SyncIndex() : Sync(); }

  // Reports. What the superblock says: once Open has succeeded.

  struct Usage {
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t chunks = 0;
  };
  Usage usage() const;
  /// Whether a new chunk should come here; by the last look at the disk.
  bool has_space() const;
  std::uint64_t store_id() const;
  std::uint64_t blocks_per_slab() const { return state_->superblock.slab_bytes / kBlockBytes; }
  /// Whether the machine was restarted since ForgetLoss was called last, or the store was made. Constant after Open.
  bool lost_unsynced() const { return lost_unsynced_; }
  /// Whoever must know of lost_unsynced() does, for good: processes after this one have no loss to tell of, unless the
  /// machine is restarted again. Durable when it returns.
  Task<Result<void>> ForgetLoss();
  std::vector<std::uint64_t> siblings() const;
  /// Records which stores this server has, durably.
  Task<Result<void>> SetSiblings(std::vector<std::uint64_t> siblings);

 private:
  friend class Reservation;
  static constexpr unsigned kSpaceTurns = 10;  // of the upkeep, between looks at a disk on which we wrote nothing

  struct SyncRound;
  struct MovedGroup;

  // open.cc
  Task<Result<void>> LoadSuperblock();
  Task<Result<void>> LoadSegments();
  Task<Result<void>> OpenSlabs();
  Task<Result<void>> LoadPrevious();
  Task<Result<void>> LoadInline();
  Task<Result<void>> LoadUnsettled();
  Task<Result<void>> SettlePowerLoss();
  // How many blocks went back to an older version.
  Task<Result<std::size_t>> SettlePage(PageKey key);
  // The blocks of `page` whose bytes do not fit; those that `known_good` has too are not looked at.
  Task<Result<std::bitset<kBlocksPerPage>>> FindDamaged(PageRecord page, PageRecord known_good);
  /// Every entry of a table, in order, whatever is in memory.
  Task<Result<void>> ScanTable(std::string prefix,
                               std::function<Result<void>(std::string_view, std::string_view)> visit);

  // space.cc
  Task<Result<void>> RefreshSpace();
  Task<Result<void>> Grow(std::uint32_t block_count);
  Task<void> Reclaim();
  // `short_too`: every free block, as somebody needs the space now.
  Task<void> PunchFreed(bool short_too);
  std::uint64_t SpendableLocked(Purpose purpose) const;
  std::uint64_t BeyondHeadroomLocked() const;
  std::uint64_t ReserveLeftLocked() const {
    return space_.set_aside_bytes - std::min(space_.set_aside_bytes, reserve_spent_);
  }
  // Sets aside what is missing of what is kept for making copies equal, as far as the disk has it. With reserve_mutex_.
  Task<void> FillReserve();
  // Lets go of what was spent of it.
  Task<void> SpendReserve();

  // sync.cc
  Task<Result<void>> RunRound();
  Task<void> EndDurableGenerations();
  Task<void> EarlyUpkeep();
  bool InlineIsHalfFullLocked() const { return state_->inlined.size() > options_.inline_blocks_max / 2; }
  Task<void> Upkeep();
  Task<void> WakeUpkeep();  // on the upkeep's loop

  // tombstones.cc
  Task<void> ExpireTombstones();

  // move_inline.cc
  Task<Result<void>> MoveInline();
  Task<Result<void>> MoveInlineBatch(std::vector<InlineWrite> batch);
  std::vector<MovedGroup> GroupByPages(std::vector<InlineWrite> writes, std::vector<BlockEntry> places,
                                       Reservation whole);
  Task<Result<void>> CommitMoved(MovedGroup group);

  /// The superblock with what `change` makes of it.
  Task<Result<void>> ChangeSuperblock(std::function<void(Superblock&)> change);
  DiskFile* Slab(std::size_t index) const;
  Result<void> Checked(Result<void> result);

  Env& env_;
  Disk& disk_;
  WatchedIndex index_;
  const std::string name_;
  const StoreOptions options_;
  RangeLocks locks_;
  TaskGroup tasks_;
  CancellableSleep upkeep_sleep_;
  ChunkId tombstone_cursor_;  // the upkeep's: it has looked at tombstones up to here
  std::atomic<bool> stopping_ = false;

  AsyncMutex grow_mutex_;
  AsyncMutex round_mutex_;  // one sync round at a time
  AsyncMutex end_mutex_;    // one ends previous records at a time
  AsyncMutex reclaim_mutex_;
  AsyncMutex reserve_mutex_;  // one looks at the disk's space, or sets some aside
  AsyncMutex move_mutex_;

  mutable std::mutex mutex_;  // everything below; never held over a suspension
  std::unique_ptr<StoreState> state_;
  bool lost_unsynced_ = false;
  std::vector<std::unique_ptr<DiskFile>> slabs_;
  std::optional<Error> offline_;
  std::shared_ptr<SyncRound> next_round_;
  std::uint64_t durable_generation_ = 0;  // previous records up to here may end
  bool round_running_ = false;
  bool early_upkeep_ = false;  // under way
  DiskSpace space_;
  std::uint64_t reserved_since_space_ = 0;  // bytes reserved since `space_` was asked
  std::uint64_t reserve_spent_ = 0;  // of what is set aside: promised to writes that may begin when it is let go of
  unsigned read_errors_ = 0;
  unsigned upkeep_turns_ = 0;
};

}  // namespace gabion
