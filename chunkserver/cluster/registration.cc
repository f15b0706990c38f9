#include "chunkserver/cluster/registration.h"

#include "common/base/log.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

constexpr Duration kBackoffFirst = std::chrono::milliseconds(50);
constexpr Duration kBackoffLongest = std::chrono::seconds(2);
// One call to the metaserver: a third of a lease, so that two may fail.
constexpr Duration kCallLimit = std::chrono::seconds(1);
// Hurried heartbeats keep this distance, however many callers ask for them.
constexpr Duration kHurryDistance = std::chrono::milliseconds(20);
// The last word saves others a lease's time, and is not worth waiting for longer.
constexpr Duration kGoodbyeLimit = std::chrono::milliseconds(300);

}  // namespace

Registration::Registration(Env& env, ChunkServerOptions options, DataContext& context, Garbage& garbage,
                           PgDuties& duties, Scrubber& scrubber, const Leftovers& leftovers,
                           std::function<Task<void>()> hang_up_on_clients)
    : env_(env),
      options_(std::move(options)),
      context_(context),
      membership_(context.membership),
      stores_(context.stores),
      garbage_(garbage),
      duties_(duties),
      scrubber_(scrubber),
      leftovers_(leftovers),
      hang_up_on_clients_(std::move(hang_up_on_clients)),
      incarnation_(env.random.Next() | 1),
      metaserver_(env, options_.metaserver, Identity{proto::ROLE_CHUNKSERVER, options_.host_id, 0}),
      backoff_(kBackoffFirst, kBackoffLongest) {}

void Registration::Start(Endpoint endpoint) {
  endpoint_ = std::move(endpoint);
  tasks_.Spawn(env_.executor, Run());
}

Task<void> Registration::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await tasks_.Join();
  if (registered_ && !failing_) co_await SayGoodbye();
  co_await metaserver_.Stop();
}

Task<void> Registration::SayGoodbye() {
  proto::HeartbeatRequest request;
  request.set_server_id(membership_.self().value());
  request.set_server_uuid(options_.server_uuid);
  request.set_map_version(membership_.view()->version());
  for (proto::DiskReport& report : stores_.Reports()) request.add_disks()->Swap(&report);
  request.set_lost_store(stores_.IsLost());
  request.set_leaving(true);
  const TimePoint deadline = env_.clock.Now() + kGoodbyeLimit;
  Payload none;
  auto reply = co_await CallTyped<proto::HeartbeatReply>(metaserver_, proto::METHOD_HEARTBEAT, request, std::move(none),
                                                         deadline);
  if (!reply) LogInfo("could not tell the metaserver of the end: {}", reply.error().ToString());
}

void Registration::Hurry() {
  tasks_.Spawn(env_.executor, CutSleepShort());
}

Task<void> Registration::CutSleepShort() {
  if (registered_ && !failing_) sleep_.Cancel();
  co_return;
}

Task<void> Registration::Run() {
  while (!stopping_) {
    last_attempt_ = env_.clock.Now();
    Result<void> done;
    if (registered_) {
      done = co_await Heartbeat();
    } else {
      done = co_await Register();
    }
    if (stopping_) co_return;
    TimePoint next = last_attempt_ + options_.heartbeat;
    if (done) {
      NoteSuccess();
    } else {
      // Not known there any more: at once again, with everything.
      bool unknown = registered_ && done.error().code() == ErrorCode::kNotFound;
      NoteFailure(done.error());
      if (unknown) registered_ = false;
      next = env_.clock.Now() + backoff_.Next(env_.random);
    }
    if (env_.Buggified("chunk.late_heartbeat")) next = next + options_.heartbeat;
    co_await sleep_.Until(env_, next);
    TimePoint soonest = last_attempt_ + kHurryDistance;
    while (!stopping_ && env_.clock.Now() < soonest) co_await sleep_.Until(env_, soonest);
  }
}

void Registration::NoteFailure(const Error& error) {
  if (failing_) return;  // once for a series
  failing_ = true;
  LogWarning("cannot {} with the metaserver at {}, trying on: {}", registered_ ? "renew the lease" : "register",
             options_.metaserver.ToString(), error.ToString());
}

void Registration::NoteSuccess() {
  backoff_.Reset();
  if (failing_) LogInfo("in touch with the metaserver again");
  failing_ = false;
}

Result<void> Registration::Adopt(const proto::ClusterMap& map) {
  TRY_ASSIGN(MembershipViewPtr view, MembershipView::FromMap(map));
  membership_.Adopt(view);
  context_.peers.HangUpOnDead(*view);
  duties_.MapChanged();
  return {};
}

/// What is asked of a group that has another epoch by now is asked no more.
void Registration::Release(PgId pg, Epoch epoch) {
  const MembershipView::Group* group = membership_.view()->FindGroup(pg);
  if (group == nullptr || group->epoch != epoch || context_.pgs.IsReleased(pg, epoch)) return;
  LogInfo("placement group {}: not served here any more, as the metaserver asks", pg.value());
  context_.pgs.SetReleased(pg, epoch);
  sleep_.Cancel();  // it waits for the word
}

/// Sessions that were evicted while this server had no lease were not fenced here. So what was sent to it before may
/// not be done once it has one again.
Task<void> Registration::RenewLease(TimePoint sent_at, std::uint32_t lease_ms) {
  if (!membership_.CheckLease(env_.clock.Now()) && !Mutated("lease.keep_connections")) {
    co_await hang_up_on_clients_();
    if (!context_.session_fences.IsIdle()) co_return;  // with the next heartbeat
  }
  membership_.Renew(sent_at, std::chrono::milliseconds(lease_ms));
}

void Registration::TakeFences(const proto::HeartbeatReply& reply) {
  fences_.clear();
  for (const proto::SessionFence& wanted : reply.fences()) {
    const SessionFences::Sender fence{SessionId(wanted.session_id()), wanted.evictions()};
    fences_.push_back(fence);
    if (context_.session_fences.Fence(fence)) sleep_.Cancel();  // it waits for the word
  }
}

void Registration::ReportFenced(proto::HeartbeatRequest& request) const {
  for (const SessionFences::Sender& fence : fences_) {
    if (!context_.session_fences.IsQuiet(fence)) continue;
    proto::SessionFence& fenced = *request.add_fenced();
    fenced.set_session_id(fence.session.value());
    fenced.set_evictions(fence.evictions);
  }
}

void Registration::StartAfresh() {
  if (starts_afresh_ || !options_.start_afresh) return;
  starts_afresh_ = true;
  LogWarning("what this server has lost is not needed any more: it starts again with empty stores in its place");
  options_.start_afresh(stores_.LostPaths());
}

Task<Result<void>> Registration::Register() {
  proto::RegisterServerRequest request;
  request.set_server_uuid(options_.server_uuid);
  request.set_endpoint(endpoint_.ToString());
  request.set_software(SoftwareVersion());
  request.set_host(options_.host);
  request.set_rack(options_.rack);
  request.set_zone(options_.zone);
  std::string known = membership_.cluster_id();
  request.set_cluster_id(known.empty() ? options_.cluster_id : known);
  request.set_incarnation(incarnation_);
  request.set_lost_unsynced(stores_.lost_unsynced());
  request.set_lost_store(stores_.IsLost());
  for (proto::DiskReport& report : stores_.Reports()) request.add_disks()->Swap(&report);
  TimePoint sent_at = env_.clock.Now();
  Payload none;
  auto reply = co_await CallTyped<proto::RegisterServerReply>(metaserver_, proto::METHOD_REGISTER_SERVER, request,
                                                              std::move(none), sent_at + kCallLimit);
  if (!reply) co_return reply.error();
  const proto::RegisterServerReply& message = reply->message;
  if (message.server_id() == 0 || message.cluster_id().empty()) {
    co_return Error(ErrorCode::kProtocol, "the metaserver's answer names no server id or cluster");
  }
  membership_.Registered(ServerId(message.server_id()), message.cluster_id());
  CO_TRY(Adopt(message.map()));
  if (!request.lost_store()) co_await RenewLease(sent_at, message.lease_ms());
  registered_ = true;
  // Not before: a process that ends without having said it would be the only one that knew. A server that lost a store
  // as well is in no group yet that could have taken note of it.
  if (request.lost_unsynced() && !request.lost_store()) tasks_.Spawn(env_.executor, stores_.ForgetLoss());
  LogInfo("registered as chunkserver {} of cluster {}, reached at {}", message.server_id(), message.cluster_id(),
          endpoint_.ToString());
  co_return Result<void>();
}

Task<Result<void>> Registration::Heartbeat() {
  proto::HeartbeatRequest request;
  request.set_server_id(membership_.self().value());
  request.set_server_uuid(options_.server_uuid);
  request.set_map_version(membership_.view()->version());
  for (proto::DiskReport& report : stores_.Reports()) request.add_disks()->Swap(&report);
  std::size_t reported = garbage_.removed().size();
  for (ChunkId chunk : garbage_.removed()) request.add_deleted_chunks(chunk.value());
  duties_.Report(request);
  *request.mutable_scrub() = scrubber_.report();
  request.set_tidy(leftovers_.tidy_version() == request.map_version());
  request.set_lost_store(stores_.IsLost());
  ReportFenced(request);
  // Others do what this server did as soon as they hear of it.
  if (request.lost_store()) membership_.GiveUpLease();
  TimePoint sent_at = env_.clock.Now();
  Payload none;
  auto reply = co_await CallTyped<proto::HeartbeatReply>(metaserver_, proto::METHOD_HEARTBEAT, request, std::move(none),
                                                         sent_at + kCallLimit);
  if (!reply) co_return reply.error();
  const proto::HeartbeatReply& message = reply->message;
  garbage_.Reported(reported);
  // The map first: an epoch that has ended must not be served under the new lease.
  if (message.has_map()) CO_TRY(Adopt(message.map()));
  TakeFences(message);
  if (!request.lost_store()) co_await RenewLease(sent_at, message.lease_ms());
  if (request.lost_store() && message.start_afresh()) StartAfresh();
  for (const proto::PgRelease& release : message.release()) Release(PgId(release.pg_id()), Epoch(release.epoch()));
  scrubber_.Want(message.scrub_round());
  std::vector<ChunkId> garbage;
  for (std::uint64_t chunk : message.delete_chunks()) garbage.emplace_back(chunk);
  garbage_.Take(std::move(garbage));
  co_return Result<void>();
}

}  // namespace gabion
