#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/coro/async_mutex.h"
#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "fs-client/io/memory_budget.h"
#include "fs-client/lease/leases.h"
#include "fs-client/session/client_loop.h"
#include "fs-client/session/cluster_view.h"
#include "fs-client/session/delegated_ids.h"
#include "fs-client/session/op_tracker.h"
#include "fs-client/session/retry_limits.h"
#include "fs-client/session/unsynced_names.h"
#include "proto/meta.pb.h"

namespace gabion {

/// The open files of the client, as the session must name them when it resumes. Any thread.
class HandleRegistry {
 public:
  virtual ~HandleRegistry() = default;
  /// Every handle that is open or being opened.
  virtual std::vector<proto::OpenHandle> OpenHandles() = 0;
  /// The metaserver does not know these, of the ones that OpenHandles named last. Those that were open then are lost:
  /// calls on them fail with kStale from now on.
  virtual void MarkLost(const std::vector<HandleId>& handles) = 0;
  /// Of which there is data that was written under a write lease and is not with the servers.
  virtual std::vector<proto::WrittenFile> WrittenFiles() = 0;
  /// The metaserver is another process: what the one before has shown may be gone, if its machine lost power. If it has
  /// (`lost_power`), what was committed and not synced is lost.
  virtual void DoubtVersions(bool lost_power) = 0;
  /// That data is lost: the session does not have these leases any more.
  virtual void LoseWrites(const std::vector<Ino>& inodes) = 0;
};

/// The file locks of the client, as the session must name them when it resumes. Any thread.
class LockRegistry {
 public:
  virtual ~LockRegistry() = default;
  /// Every lock that is held. Until Named nobody gets another.
  virtual std::vector<proto::FileLock> NameLocks() = 0;
  /// They were named, and this was the answer: the locks among them that the session does not have any more. What is
  /// waited for has to be asked for again. Null: there was none.
  virtual void Named(const proto::OpenSessionReply* reply) = 0;
};

/// One state of the registration with the metaserver; a call holds the state it was made under.
struct SessionState {
  SessionId id;
  VolumeId volume;
  Duration ttl{0};
  std::size_t metaserver = 0;      // which of the list
  std::uint64_t generation = 0;    // raised by every opening and resuming
  std::uint64_t era = 0;           // of the metaserver's process
  std::uint64_t resumed_at = 0;    // the metaserver's number of the last opening or resuming
  std::uint32_t evictions = 0;     // OpenSessionReply.evictions
  std::shared_ptr<OpTracker> ops;  // the same object as long as the session is

  /// What is committed was written under a lease that the session has as it is now.
  void NameLease(proto::CommitWriteRequest& request) const {
    request.set_under_lease(true);
    request.set_era(era);
    request.set_resumed_at(resumed_at);
  }
};
using SessionStatePtr = std::shared_ptr<const SessionState>;

/// The client's registration with a volume (DESIGN 4.3): opened once, renewed three times per TTL from the first loop,
/// resumed after every lost connection (with the open handles and locks, and without leases, for the metaserver may
/// have been restarted), opened anew when it has expired. Also what comes with it: the cluster map and the delegated
/// ids. Any loop.
class MetaSession {
 public:
  struct Options {
    std::string volume;
    std::string subdir;
    std::string host_name;
    std::string mountpoint;
    bool read_only = false;
    Duration soft{0};  // after which calls are given up; 0: never
  };

  /// All arguments outlive it. `loops` not empty; its first loop renews.
  MetaSession(std::vector<ClientLoop*> loops, Options options, HandleRegistry& handles, LockRegistry& locks,
              Leases& leases, const MemoryBudget& memory, TaskGroup& tasks);

  /// Opens the session; tries every metaserver until one answers or `deadline` passes. On the first loop. Errors are
  /// lines for the user: kUnavailable, kNotFound, kVersionMismatch and what else the metaserver says.
  Task<Result<void>> Open(TimePoint deadline);
  /// Begins to renew. After Open.
  void StartRenewing();
  /// Ends the renewing and makes waiting calls give up with kCancelled; the session stays open. On the first loop.
  void StopWaiting();
  /// Something tells that the metaserver may have been restarted: finds out now. On the first loop.
  void RenewSoon() { renew_sleep_.Cancel(); }
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  /// Tells the metaserver that the session ends. Whatever fails is left to its expiry.
  Task<void> Close(TimePoint deadline);

  SessionStatePtr state() const;
  /// Till then others get nothing that the session holds.
  TimePoint valid_until() const { return leases_.cache().writes_until(); }
  /// The inode that is the root of the mount. After Open.
  Ino root_ino() const { return root_ino_; }

  /// The session of `seen_generation` was refused, or its metaserver is gone: resumes or reopens it, whoever comes
  /// first. Errors: kCancelled (stopping), kStale (the volume or subdirectory is gone), kIo (given up).
  Task<Result<void>> Recover(ClientLoop* loop, std::uint64_t seen_generation, Patience patience);
  /// Whether changes of names were answered that may not be durable. Any thread.
  UnsyncedNames& names() { return names_; }
  /// For a call that begins now.
  Patience NewPatience(ClientLoop* loop) const { return {options_.soft, loop->Now()}; }

  /// An equal part of the space that is free, one for each session, as of the last renewal; none if that did not say.
  std::optional<std::uint64_t> FreeBytesEach() const;

  /// Background work of whoever uses the session; joined before it goes.
  TaskGroup& tasks() { return tasks_; }

  ClusterViewPtr map() const;
  /// Asks for a newer map than `seen_version` unless there is one already. One try.
  Task<void> RefreshMap(ClientLoop* loop, std::uint64_t seen_version);

  /// Numbers for a new file. Errors: as Recover.
  Task<Result<NewFileIds>> TakeFileIds(ClientLoop* loop);
  Task<Result<std::vector<ChunkId>>> TakeChunkIds(ClientLoop* loop, std::size_t count);
  /// As TakeFileIds, without suspending; none if they have to be fetched.
  std::optional<NewFileIds> TryTakeFileIds(ClientLoop* loop);

 private:
  Task<void> RenewUntilStopped();
  Task<Result<void>> RenewOnce();
  Task<Result<void>> OpenAt(ClientLoop* loop, std::size_t metaserver, SessionId resume, TimePoint deadline);
  Task<Result<void>> TryRecover(ClientLoop* loop);
  Task<void> RenewFromFirstLoop();
  void Adopt(const proto::OpenSessionReply& reply, std::size_t metaserver, TimePoint sent_at);
  void AdoptMap(const proto::ClusterMap& map);
  void FetchIdsAhead(ClientLoop* loop);
  Task<void> FetchIdsInBackground(ClientLoop* loop);
  Task<Result<void>> FetchIds(ClientLoop* loop);
  Task<Result<void>> DelegateOnce(ClientLoop* loop);

  const std::vector<ClientLoop*> loops_;
  const Options options_;
  HandleRegistry& handles_;
  LockRegistry& locks_;
  Leases& leases_;
  const MemoryBudget& memory_;
  TaskGroup& tasks_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> free_bytes_ = 0;  // as RenewSessionReply has them
  std::atomic<std::uint32_t> sessions_ = 0;
  Ino root_ino_;

  mutable std::mutex mutex_;  // of state_ and map_
  SessionStatePtr state_;
  ClusterViewPtr map_;

  AsyncMutex recovering_;
  AsyncMutex refreshing_map_;
  AsyncMutex fetching_ids_;
  std::atomic<bool> fetching_ahead_ = false;
  DelegatedIds ids_;
  CancellableSleep renew_sleep_;
  std::uint64_t era_ = 0;           // of the metaserver's process that the session was opened or resumed with
  std::uint64_t power_losses_ = 0;  // as it said then
  UnsyncedNames names_;
  std::uint64_t resumed_connection_ =
      0;  // of the first loop's connection: which one the metaserver knows our handles by
};

}  // namespace gabion
