#pragma once

#include <map>
#include <memory>
#include <vector>

#include "common/coro/task_group.h"
#include "fs-client/lease/leases.h"
#include "fs-client/lock/held_locks.h"
#include "fs-client/session/meta_session.h"

namespace gabion {

/// What was done under leases that are recalled.
class LeaseUses {
 public:
  virtual ~LeaseUses() = default;
  /// Gives up the write lease (LeaseCache::RecalledWrite): when those who have asked for it have used it, or soon, and
  /// nobody needs it to last any more. Not when leases of another era are in use by then.
  virtual Task<LeaseCache::WriteRecall> TakeBack(ClientLoop* loop, std::uint64_t era, proto::Recall recall) = 0;
  /// Returns when what was written to the inode is with the servers, or is lost.
  virtual Task<void> Flush(ClientLoop* loop, Ino ino) = 0;
  /// Whether programs may use pages of the inode that the kernel has.
  virtual bool MayHavePages(Ino ino) = 0;
  /// Has the kernel drop them, and not take in any more what it was told of the inode's size before. False if it has
  /// not done it in time.
  virtual Task<bool> DropPages(ClientLoop* loop, Ino ino) = 0;
  /// Returns when the metaserver knows what was opened and locked without it of an inode. Errors: it may not know all.
  virtual Task<Result<void>> Name(ClientLoop* loop, Ino ino) = 0;
};

/// Keeps a call waiting at the metaserver for recalled leases, and returns them when nothing uses them any more
/// (docs/leases.md); and hears of granted locks (docs/locks.md). It has a connection of its own: on the others, ops may
/// be waiting for what is to be returned. On the first loop.
class RecallListener {
 public:
  /// All outlive it.
  RecallListener(MetaSession& session, Leases& leases, HeldLocks& locks, TaskGroup& tasks)
      : session_(session), leases_(leases), locks_(locks), tasks_(tasks) {}

  /// Before ListenUntilStopped; outlives it.
  void SetUses(LeaseUses& uses) { uses_ = &uses; }
  Task<void> ListenUntilStopped(ClientLoop* loop);
  /// Lets the leases know when this machine stood still (RunningTime), until the session stops.
  Task<void> WatchTime(ClientLoop* loop);
  /// Ends the call that waits, after MetaSession::StopWaiting.
  Task<void> Stop();

 private:
  /// Asks once; what is told is given back in the background. Errors: those of the call.
  Task<Result<void>> Listen(ClientLoop* loop);
  struct Recalls {
    std::vector<proto::Recall> leases;
    LeaseCache::KernelWork work;  // before they are returned
  };
  Task<void> GiveBack(ClientLoop* loop, proto::WaitRecallsReply told);
  Task<void> GiveBackWrite(ClientLoop* loop, std::uint64_t era, proto::Recall recall);
  Task<void> Return(ClientLoop* loop, std::uint64_t era, Recalls recalls);
  /// Whether nothing is used any more that others could not know of; else leases of another era are in use.
  Task<bool> EndUses(ClientLoop* loop, std::uint64_t era, const Recalls& recalls);
  Task<void> DropPages(ClientLoop* loop, std::uint64_t era, Ino ino);
  RpcClient& Connection(ClientLoop* loop, std::size_t metaserver);

  MetaSession& session_;
  Leases& leases_;
  HeldLocks& locks_;
  TaskGroup& tasks_;
  LeaseUses* uses_ = nullptr;
  std::map<std::size_t, std::unique_ptr<RpcClient>> connections_;  // by metaserver
  std::uint64_t era_ = 0;                                          // of `last_`
  std::uint64_t last_ = 0;  // the number of the last recall or grant that arrived
};

}  // namespace gabion
