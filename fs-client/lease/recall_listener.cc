#include "fs-client/lease/recall_listener.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/env/mutate.h"
#include "fs-client/session/retry_limits.h"

namespace gabion {
namespace {

// Longer than the metaserver lets a call wait (LeaseOps::kLongestWait).
constexpr Duration kWaitLimit = std::chrono::seconds(8);
constexpr Duration kReturnLimit = std::chrono::seconds(2);
constexpr Duration kEndAgain = std::chrono::milliseconds(100);

}  // namespace

Task<void> RecallListener::ListenUntilStopped(ClientLoop* loop) {
  Backoff backoff = MakeRetryBackoff();
  while (!session_.stopping()) {
    Result<void> heard = co_await Listen(loop);
    if (heard) {
      backoff.Reset();
      continue;
    }
    if (session_.stopping()) break;
    session_.RenewSoon();  // the metaserver may be a new process, and others wait until all have resumed
    co_await loop->env().clock.SleepFor(backoff.Next(loop->env().random));
  }
}

Task<void> RecallListener::WatchTime(ClientLoop* loop) {
  while (!session_.stopping()) {
    (void)leases_.cache().Running(loop->Now());
    co_await loop->env().clock.SleepFor(RunningTime::kTick);
  }
}

Task<void> RecallListener::Stop() {
  for (auto& [metaserver, connection] : connections_) co_await connection->Stop();
}

Task<Result<void>> RecallListener::Listen(ClientLoop* loop) {
  SessionStatePtr state = session_.state();
  proto::WaitRecallsRequest request;
  request.set_session_id(state->id.value());
  request.set_volume_id(state->volume.value());
  request.set_era(era_);
  request.set_after(last_);
  RpcClient& client = Connection(loop, state->metaserver);
  Payload none;
  auto reply = co_await CallTyped<proto::WaitRecallsReply>(client, proto::METHOD_WAIT_RECALLS, request, std::move(none),
                                                           loop->Now() + kWaitLimit);
  if (!reply) co_return reply.error();
  const proto::WaitRecallsReply& told = reply->message;
  if (told.recalls_size() == 0 && told.granted_size() == 0) co_return Result<void>();
  // While a session is being resumed: they are told again.
  if (told.era() != leases_.cache().era()) co_return Error(ErrorCode::kUnavailable, "no leases are held");
  if (era_ != told.era()) last_ = 0;
  era_ = told.era();
  if (told.recalls_size() > 0) last_ = std::max(last_, told.recalls(told.recalls_size() - 1).number());
  for (const proto::LockGrant& grant : told.granted()) {
    locks_.Granted(grant.wait(), grant.number());
    last_ = std::max(last_, grant.number());
  }
  if (told.recalls_size() == 0) co_return Result<void>();
  tasks_.Spawn(loop->env().executor, GiveBack(loop, std::move(reply->message)));
  co_return Result<void>();
}

/// What the kernel may still use is returned after the rest, and by itself what it may be reading.
Task<void> RecallListener::GiveBack(ClientLoop* loop, proto::WaitRecallsReply told) {
  const TimePoint now = leases_.cache().Running(loop->Now());
  Recalls at_once, later;
  for (const proto::Recall& recall : told.recalls()) {
    std::optional<LeaseCache::KernelWork> work;
    if (Mutated("lease.return_first")) {
      work.emplace();
    } else if (!recall.write()) {
      work = leases_.cache().RecalledRead(recall);
    }
    if (recall.write() || !work) {
      tasks_.Spawn(loop->env().executor, GiveBackWrite(loop, told.era(), recall));
      continue;
    }
    if (uses_->MayHavePages(Ino(recall.ino()))) {
      Recalls recalls;
      recalls.work = std::move(*work);
      recalls.leases.push_back(recall);
      tasks_.Spawn(loop->env().executor, Return(loop, told.era(), std::move(recalls)));
      continue;
    }
    Recalls& recalls = work->wait_until > now ? later : at_once;
    recalls.leases.push_back(recall);
    recalls.work.wait_until = std::max(recalls.work.wait_until, work->wait_until);
    recalls.work.attributes.insert(recalls.work.attributes.end(), work->attributes.begin(), work->attributes.end());
  }
  if (!at_once.leases.empty()) co_await Return(loop, told.era(), std::move(at_once));
  if (!later.leases.empty()) co_await Return(loop, told.era(), std::move(later));
  if (Mutated("lease.return_first")) {
    for (const proto::Recall& recall : told.recalls()) {
      std::optional<LeaseCache::KernelWork> late = leases_.cache().RecalledRead(recall);
      if (late) (void)co_await leases_.Forget(loop->env(), std::move(*late));
    }
  }
}

Task<void> RecallListener::GiveBackWrite(ClientLoop* loop, std::uint64_t era, proto::Recall recall) {
  const Ino ino(recall.ino());
  Recalls recalls;
  LeaseCache::WriteRecall recalled = co_await uses_->TakeBack(loop, era, recall);
  recalls.work = std::move(recalled.work);
  // What mappings have changed in them is written under this lease, or could not be written before it is returned.
  co_await DropPages(loop, era, ino);
  if (!Mutated("lease.return_unflushed")) co_await uses_->Flush(loop, ino);
  recalls.leases.push_back(std::move(recall));
  co_await Return(loop, era, std::move(recalls));
  if (recalled.flushing) leases_.cache().Returned(ino, *recalled.flushing);
}

Task<bool> RecallListener::EndUses(ClientLoop* loop, std::uint64_t era, const Recalls& recalls) {
  bool forgotten = false;
  std::size_t named = 0;
  for (;;) {
    if (!forgotten) forgotten = co_await leases_.Forget(loop->env(), recalls.work);
    while (named < recalls.leases.size()) {
      const Ino ino(recalls.leases[named].ino());
      co_await DropPages(loop, era, ino);
      Result<void> all_named = co_await uses_->Name(loop, ino);
      if (!all_named) break;
      ++named;
    }
    if (forgotten && named == recalls.leases.size()) co_return true;
    if (session_.stopping() || leases_.cache().era() != era) co_return false;
    co_await loop->env().clock.SleepFor(kEndAgain);
  }
}

/// The same of the kernel's pages of an inode.
Task<void> RecallListener::DropPages(ClientLoop* loop, std::uint64_t era, Ino ino) {
  if (Mutated("lease.leave_pages")) co_return;
  bool dropped = false;
  while (!dropped && !session_.stopping() && leases_.cache().era() == era) {
    dropped = co_await uses_->DropPages(loop, ino);
    if (!dropped) co_await loop->env().clock.SleepFor(kEndAgain);
  }
}

/// Until it is done, or leases of another era are in use. What the kernel does not forget is not given back: the
/// metaserver then lets the session lapse.
Task<void> RecallListener::Return(ClientLoop* loop, std::uint64_t era, Recalls recalls) {
  const bool ended = co_await EndUses(loop, era, recalls);
  if (!ended) co_return;
  if (loop->env().Buggified("client.slow_return")) co_await loop->env().clock.SleepFor(std::chrono::milliseconds(200));
  proto::ReturnLeasesRequest request;
  request.set_era(era);
  request.mutable_leases()->Add(recalls.leases.begin(), recalls.leases.end());
  Backoff backoff = MakeRetryBackoff();
  while (!session_.stopping() && leases_.cache().era() == era) {
    SessionStatePtr state = session_.state();
    request.set_session_id(state->id.value());
    request.set_volume_id(state->volume.value());
    RpcClient& client = Connection(loop, state->metaserver);
    Payload none;
    auto returned = co_await CallTyped<proto::ReturnLeasesReply>(client, proto::METHOD_RETURN_LEASES, request,
                                                                 std::move(none), loop->Now() + kReturnLimit);
    if (returned || !IsRetryable(returned.error().code())) break;
    co_await loop->env().clock.SleepFor(backoff.Next(loop->env().random));
  }
}

RpcClient& RecallListener::Connection(ClientLoop* loop, std::size_t metaserver) {
  std::unique_ptr<RpcClient>& connection = connections_[metaserver];
  if (connection == nullptr) connection = loop->ConnectMetaserver(metaserver);
  return *connection;
}

}  // namespace gabion
