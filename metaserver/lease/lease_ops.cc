#include "metaserver/lease/lease_ops.h"

#include <fmt/format.h>

namespace gabion {

namespace {

Error Expired(std::uint64_t session) {
  return Error(ErrorCode::kSessionExpired, fmt::format("session {} is unknown or has expired", session));
}

}  // namespace

Task<Result<proto::WaitRecallsReply>> LeaseOps::WaitRecalls(proto::WaitRecallsRequest request, Env& env) {
  const std::shared_ptr<Volume> volume = volumes_.Find(VolumeId(request.volume_id()));
  if (!volume) co_return Expired(request.session_id());
  const SessionId id(request.session_id());
  proto::WaitRecallsReply reply;
  bool live = true;
  std::shared_ptr<AsyncEvent> next;
  // Looks for recalls; the first time it leaves something to wait for if there are none.
  auto look = [&](VolumeState& state, bool wait) {
    live = !state.closed && state.sessions.Find(id) != nullptr;
    if (!live) return;
    reply.set_era(state.leases.era());
    const std::uint64_t after = request.era() == state.leases.era() ? request.after() : 0;
    for (proto::Recall& recall : state.leases.RecallsAfter(id, after)) *reply.add_recalls() = std::move(recall);
    for (proto::LockGrant& grant : state.leases.TakeGrantsAfter(id, after)) *reply.add_granted() = std::move(grant);
    if (wait && reply.recalls_size() == 0 && reply.granted_size() == 0)
      next = state.leases.NextRecall(id, env.clock.Now() + kLongestWait);
  };
  volume->WithState([&](VolumeState& state) { look(state, true); });
  if (next) {
    co_await next->Wait();
    volume->WithState([&](VolumeState& state) { look(state, false); });
  }
  if (!live) co_return Expired(request.session_id());
  co_return reply;
}

Result<proto::ReturnLeasesReply> LeaseOps::ReturnLeases(const proto::ReturnLeasesRequest& request) {
  const std::shared_ptr<Volume> volume = volumes_.Find(VolumeId(request.volume_id()));
  if (!volume) return Expired(request.session_id());
  const SessionId id(request.session_id());
  const bool live = volume->WithState([&](VolumeState& state) {
    if (state.closed || state.sessions.Find(id) == nullptr) return false;
    if (request.era() != state.leases.era()) return true;  // all of that era is gone already
    for (const proto::Recall& lease : request.leases()) state.leases.Return(id, Ino(lease.ino()), lease.number());
    return true;
  });
  if (!live) return Expired(request.session_id());
  return proto::ReturnLeasesReply();
}

}  // namespace gabion
