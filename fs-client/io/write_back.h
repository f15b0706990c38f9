#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "fs-client/io/chunk_calls.h"
#include "fs-client/io/chunk_places.h"
#include "fs-client/io/dirty_list.h"
#include "fs-client/io/flush_queue.h"
#include "fs-client/io/kernel_caches.h"
#include "fs-client/io/memory_budget.h"
#include "fs-client/io/open_inode.h"
#include "fs-client/lease/leases.h"
#include "fs-client/session/meta_call.h"

namespace gabion {

/// Brings what was written to the chunkservers and then shows it: frames to the primaries, several at once, then one
/// CommitWrite with the new size and time, never the other way round (DESIGN 4.5). Any loop; work runs on the caller's.
class WriteBack {
 public:
  /// Nothing lingers longer than about this before it is sent.
  static constexpr Duration kMaxAge = std::chrono::seconds(1);
  /// A file with more than this on its way makes its writers wait.
  static constexpr std::size_t kMaxDirtyPerFile = 64 * kMiB;
  /// So much may have landed before the size is committed without anybody asking.
  static constexpr std::size_t kMaxLandedBytes = 32 * kMiB;

  struct Parts {
    MetaCalls& meta;
    MetaSession& session;
    ChunkCalls& chunks;
    ChunkPlaces& places;
    MemoryBudget& memory;
    KernelCaches& kernel;
    TaskGroup& tasks;
    Leases& leases;
    std::function<void(const OpenInodePtr&)> retire;  // nothing of it is gathered any more; under no lock
  };

  /// What `parts` refers to outlives it.
  explicit WriteBack(const Parts& parts);

  enum class Verdict {
    kTaken,
    kWait,       // AwaitRoom
    kNeedLease,  // without a write lease on the file nothing is taken in
    kNeedKill,   // OpenInode::MayHavePrivileges
  };
  struct Manner {
    bool append = false;           // where the file ends
    bool kill_privileges = false;  // by one who is not root
    /// The kernel writes what a mapping has changed: also when it is to drop these pages, for the lease is recalled.
    bool by_kernel = false;
  };
  /// Takes in bytes for the file, or says why not; under no lock.
  Verdict TryWrite(ClientLoop* loop, const OpenInodePtr& inode, std::uint64_t offset_bytes,
                   std::span<const std::byte> bytes, Manner manner);
  /// Returns when it is worth trying again, or when the request is interrupted.
  Task<void> AwaitRoom(ClientLoop* loop, OpenInodePtr inode);

  /// Returns when the writes up to number `up_to_write` are on the replicas and committed, or have failed
  /// (WriteErrors).
  Task<void> Flush(ClientLoop* loop, OpenInodePtr inode, std::uint64_t up_to_write);
  /// Whether so little is free that what is held back may find no room: then whoever closes a file waits until it has.
  bool SpaceIsShort(ClientLoop* loop) const;
  /// Whether there is anything of any file.
  bool IsDirty() const { return !dirty_list_.empty(); }
  /// All that was written so far.
  Task<void> FlushAll(ClientLoop* loop, OpenInodePtr inode);
  /// The file's last name is gone, and nobody has it open or can open it: what was written to it needs not be sent.
  void Discard(ClientLoop* loop, const OpenInodePtr& inode);
  /// FlushAll, then everything is durable, the metadata included; with `data_only` no more of that than leads to the
  /// data. Errors of syncing; of writing are in WriteErrors.
  Task<Result<void>> Sync(ClientLoop* loop, OpenInodePtr inode, bool data_only);

  /// What failed since the handle was told last, by close and fsync or by write; no error if nothing did.
  static Result<void> TakeErrorForSync(OpenHandle& handle);
  static Result<void> TakeErrorForWrite(OpenHandle& handle);

  /// Flushes what grows old, from the loop it is started on until StopAgeing.
  Task<void> AgeUntilStopped(ClientLoop* loop);
  /// On the same loop.
  void StopAgeing();
  /// Flushes all files; returns when nothing is dirty or at `deadline`. Whether nothing is.
  Task<bool> FlushEverything(ClientLoop* loop, TimePoint deadline);

 private:
  enum class Durability { kApplied, kDurable };

  struct Stored {
    std::uint64_t index = 0;
    ChunkPlace place;
    Epoch epoch;  // that it was answered in
  };

  Task<void> FlushWith(ClientLoop* loop, OpenInodePtr inode, std::uint64_t up_to_write, Durability durability);
  void Stream(ClientLoop* loop, const OpenInodePtr& inode);
  Task<void> SendAndStream(ClientLoop* loop, OpenInodePtr inode, WriteFramePtr frame);
  Task<void> Send(ClientLoop* loop, OpenInodePtr inode, WriteFramePtr frame, Durability durability);
  Task<Result<void>> AwaitLease(ClientLoop* loop, OpenInodePtr inode, Patience patience);
  void NoteFailure(ClientLoop* loop, ErrorCode code);
  Task<Result<void>> AwaitResumed(ClientLoop* loop, OpenInodePtr inode, SessionStatePtr before);
  void RetireIfClean(const OpenInodePtr& inode);
  Task<Result<Stored>> Store(ClientLoop* loop, OpenInodePtr inode, std::uint64_t offset_bytes, Payload payload,
                             Durability durability);
  Task<void> Commit(ClientLoop* loop, OpenInodePtr inode);
  Task<Result<void>> CommitLanded(ClientLoop* loop, OpenInodePtr inode);
  Task<Result<void>> StoreAgain(ClientLoop* loop, OpenInodePtr inode);
  Task<Result<void>> SyncMeta(ClientLoop* loop, OpenInodePtr inode, bool data_only);
  Task<Result<void>> SyncChunks(ClientLoop* loop, OpenInodePtr inode);
  Task<Result<std::vector<ChunkPlace>>> AllPlaces(ClientLoop* loop, OpenInodePtr inode);
  Task<void> DropKernelPages(Ino ino);
  void FlushAllInBackground();

  const Parts parts_;
  DirtyList dirty_list_;
  FlushQueue flushes_;
  std::atomic<std::int64_t> no_space_until_ns_ = 0;  // till then it is taken for short
  std::atomic<bool> ageing_stopped_ = false;
  CancellableSleep age_sleep_;
};

}  // namespace gabion
