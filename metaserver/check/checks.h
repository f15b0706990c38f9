#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/coro/task_group.h"
#include "metaserver/check/check_run.h"
#include "proto/admin.pb.h"

namespace gabion {

/// The check that runs, or ran last: one at a time, in the background on one loop, started and asked by administrators
/// from any. What it finds it writes nowhere but into an event: a restart of the metaserver ends and forgets it.
class Checks {
 public:
  static constexpr std::uint32_t kMaxFaultsPerReply = 1000;

  /// All that `context` names, and what it counts on, outlives it.
  explicit Checks(CheckContext context) : context_(context) {}

  /// Errors: kBusy (one runs), kNotFound (no such volume).
  Result<proto::CheckStartReply> Start(const proto::CheckStartRequest& request);
  /// Errors: kNotFound (another check has taken its place), kInvalidArgument.
  Result<proto::CheckStatusReply> Status(const proto::CheckStatusRequest& request);
  /// The check, or the repair, ends within a page of work. Errors: kNotFound.
  Result<proto::CheckCancelReply> Cancel(const proto::CheckCancelRequest& request);
  /// Begins to repair what a finished check found. Errors: kNotFound, kBusy (it runs, or is being repaired).
  Result<proto::CheckRepairReply> Repair(const proto::CheckRepairRequest& request);

  /// Cancels what runs and waits for it. On the loop of the context's Env; nothing is started any more.
  Task<void> Stop();

 private:
  struct Check {
    std::uint64_t id = 0;
    std::string volume;  // empty: all
    CheckLog log;
    proto::CheckState state = proto::CHECK_STATE_RUNNING;  // guarded by mutex_, as what follows
    std::string error;

    bool is_busy() const { return state == proto::CHECK_STATE_RUNNING || state == proto::CHECK_STATE_REPAIRING; }
  };
  using CheckPtr = std::shared_ptr<Check>;

  Result<CheckPtr> Find(std::uint64_t id);  // with mutex_ held
  Task<void> RunInBackground(CheckPtr check);
  Task<void> RepairInBackground(CheckPtr check);
  void Finish(Check& check, const Result<void>& result);
  void NoteResult(const Check& check, const Result<void>& result);

  CheckContext context_;
  TaskGroup tasks_;
  std::mutex mutex_;
  CheckPtr last_;
  std::uint64_t next_id_ = 1;
};

}  // namespace gabion
