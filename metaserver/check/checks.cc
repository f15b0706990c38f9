#include "metaserver/check/checks.h"

#include <fmt/format.h>

#include <utility>

#include "metaserver/check/repair_run.h"

namespace gabion {

Result<proto::CheckStartReply> Checks::Start(const proto::CheckStartRequest& request) {
  if (!request.volume().empty() && !context_.volumes.FindByName(request.volume()))
    return Error(ErrorCode::kNotFound, fmt::format("no volume '{}'", request.volume()));
  CheckPtr check;
  {
    const std::lock_guard lock(mutex_);
    if (last_ && last_->is_busy()) {
      return Error(ErrorCode::kBusy,
                   "a check or repair runs already: wait for it, or cancel it with Ctrl-C where it runs");
    }
    check = std::make_shared<Check>();
    check->id = next_id_++;
    check->volume = request.volume();
    last_ = check;
  }
  tasks_.Spawn(context_.env.executor, RunInBackground(check));  // may run at once, and lock
  proto::CheckStartReply reply;
  reply.set_check_id(check->id);
  return reply;
}

Result<Checks::CheckPtr> Checks::Find(std::uint64_t id) {
  if (last_ && (id == 0 || id == last_->id)) return last_;
  return Error(ErrorCode::kNotFound,
               fmt::format("there is no check {}: another one was started, or the metaserver was", id));
}

Result<proto::CheckStatusReply> Checks::Status(const proto::CheckStatusRequest& request) {
  if (request.max_faults() > kMaxFaultsPerReply) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} faults in one answer; {} is the limit", request.max_faults(), kMaxFaultsPerReply));
  }
  const std::lock_guard lock(mutex_);
  proto::CheckStatusReply reply;
  if (!last_ && request.check_id() == 0) return reply;
  TRY_ASSIGN(const CheckPtr check, Find(request.check_id()));
  check->log.Fill(request.first_fault(), request.max_faults(), reply);
  reply.set_check_id(check->id);
  reply.set_state(check->state);
  reply.set_error(check->error);
  return reply;
}

Result<proto::CheckCancelReply> Checks::Cancel(const proto::CheckCancelRequest& request) {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const CheckPtr check, Find(request.check_id()));
  if (check->is_busy()) check->log.Cancel();
  return proto::CheckCancelReply();
}

Result<proto::CheckRepairReply> Checks::Repair(const proto::CheckRepairRequest& request) {
  CheckPtr check;
  {
    const std::lock_guard lock(mutex_);
    TRY_ASSIGN(check, Find(request.check_id()));
    if (check->state != proto::CHECK_STATE_FINISHED)
      return Error(ErrorCode::kBusy, "only what a finished check found can be repaired");
    check->state = proto::CHECK_STATE_REPAIRING;
  }
  tasks_.Spawn(context_.env.executor, RepairInBackground(check));  // may run at once, and lock
  return proto::CheckRepairReply();
}

Task<void> Checks::RunInBackground(CheckPtr check) {
  std::vector<std::shared_ptr<Volume>> volumes;
  if (check->volume.empty()) {
    volumes = context_.volumes.List();
  } else if (std::shared_ptr<Volume> volume = context_.volumes.FindByName(check->volume)) {
    volumes.push_back(std::move(volume));
  }
  Result<void> result;
  if (!volumes.empty() || check->volume.empty())
    result = co_await RunCheck(context_, std::move(volumes), check->volume.empty(), check->log);
  co_await context_.lister.HangUp();
  NoteResult(*check, result);
  Finish(*check, result);
}

Task<void> Checks::RepairInBackground(CheckPtr check) {
  Result<void> result = co_await RunRepair(context_, check->log);
  proto::CheckStatusReply report;
  check->log.Fill(0, 0, report);
  context_.cluster.AddEvent(
      "check-repaired",
      fmt::format("check {}: {} of {} faults were repaired", check->id, report.repaired(), check->log.fault_count()),
      context_.env);
  Finish(*check, result);
}

void Checks::Finish(Check& check, const Result<void>& result) {
  const std::lock_guard lock(mutex_);
  check.state = proto::CHECK_STATE_FINISHED;
  if (result) return;
  check.state =
      result.error().code() == ErrorCode::kCancelled ? proto::CHECK_STATE_CANCELLED : proto::CHECK_STATE_FAILED;
  check.error = result.error().message();
}

void Checks::NoteResult(const Check& check, const Result<void>& result) {
  const std::string what = check.volume.empty() ? fmt::format("check {}", check.id)
                                                : fmt::format("check {} of volume '{}'", check.id, check.volume);
  if (!result) {
    const bool is_cancelled = result.error().code() == ErrorCode::kCancelled;
    if (!is_cancelled)
      context_.cluster.AddEvent("check-failed", fmt::format("{} failed: {}", what, result.error().message()),
                                context_.env, true);
    return;
  }
  const std::uint64_t faults = check.log.fault_count();
  const char* beside = check.log.is_complete() ? "" : "; not everything could be looked at";
  context_.cluster.AddEvent("check-finished", fmt::format("{} found {} faults{}", what, faults, beside), context_.env,
                            faults > 0);
}

Task<void> Checks::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (last_) last_->log.Cancel();
  }
  co_await context_.lister.HangUp();
  co_await tasks_.Join();
}

}  // namespace gabion
