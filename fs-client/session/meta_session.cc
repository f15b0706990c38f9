#include "fs-client/session/meta_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/env/lease.h"
#include "common/env/mutate.h"
#include "fs-client/session/retry_limits.h"

namespace gabion {
namespace {

// One try of opening or resuming: enough for a metaserver under load, little enough to try the next one in time.
constexpr Duration kOpenLimit = std::chrono::seconds(5);
constexpr Duration kMapLimit = std::chrono::seconds(5);

}  // namespace

MetaSession::MetaSession(std::vector<ClientLoop*> loops, Options options, HandleRegistry& handles, LockRegistry& locks,
                         Leases& leases, const MemoryBudget& memory, TaskGroup& tasks)
    : loops_(std::move(loops)),
      options_(std::move(options)),
      handles_(handles),
      locks_(locks),
      leases_(leases),
      memory_(memory),
      tasks_(tasks),
      map_(std::make_shared<const ClusterView>()) {}

SessionStatePtr MetaSession::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

ClusterViewPtr MetaSession::map() const {
  std::lock_guard lock(mutex_);
  return map_;
}

std::optional<std::uint64_t> MetaSession::FreeBytesEach() const {
  const std::uint32_t sessions = sessions_;
  if (sessions == 0) return std::nullopt;
  return free_bytes_ / sessions;
}

void MetaSession::AdoptMap(const proto::ClusterMap& map) {
  auto view = std::make_shared<const ClusterView>(map);
  {
    std::lock_guard lock(mutex_);
    if (view->version() <= map_->version()) return;
    if (map_->version() > 0 && loops_.front()->env().Buggified("client.late_map")) return;  // as if it had been lost
    map_ = view;
  }
  std::vector<ServerId> dead = view->DeadServers();
  if (dead.empty()) return;
  for (ClientLoop* loop : loops_) tasks_.Spawn(loop->env().executor, loop->HangUp(dead));
}

Task<Result<void>> MetaSession::OpenAt(ClientLoop* loop, std::size_t metaserver, SessionId resume, TimePoint deadline) {
  proto::OpenSessionRequest request;
  request.set_session_id(resume.value());
  request.set_volume(options_.volume);
  request.set_subdir(options_.subdir);
  request.set_host(options_.host_name);
  request.set_software(SoftwareVersion());
  request.set_read_only(options_.read_only);
  request.set_mountpoint(options_.mountpoint);
  if (const SessionStatePtr before = state()) request.set_resumed_at(before->resumed_at);

  // Once the metaserver has answered, others may change what we hold leases on.
  if (!Mutated("lease.keep_over_resume")) co_await leases_.End(loop->env());
  for (proto::OpenHandle& handle : handles_.OpenHandles()) *request.add_reclaim() = std::move(handle);
  for (proto::FileLock& lock : locks_.NameLocks()) *request.add_reclaim_locks() = std::move(lock);
  if (!Mutated("lease.name_no_writes")) {
    for (proto::WrittenFile& file : handles_.WrittenFiles()) *request.add_reclaim_writes() = std::move(file);
  }
  RpcClient& client = loop->UrgentMetaserver(metaserver);
  const TimePoint sent_at = loop->Now();
  Payload none;
  auto reply = co_await CallTyped<proto::OpenSessionReply>(client, proto::METHOD_OPEN_SESSION, request, std::move(none),
                                                           deadline);
  if (reply) Adopt(reply->message, metaserver, sent_at);
  locks_.Named(reply ? &reply->message : nullptr);
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

void MetaSession::Adopt(const proto::OpenSessionReply& reply, std::size_t metaserver, TimePoint sent_at) {
  std::vector<HandleId> lost;
  for (std::uint64_t handle : reply.lost_handles()) lost.emplace_back(handle);
  if (!lost.empty()) handles_.MarkLost(lost);
  std::vector<Ino> lost_writes, kept_writes;
  for (std::uint64_t ino : reply.lost_writes()) lost_writes.emplace_back(ino);
  for (std::uint64_t ino : reply.kept_writes()) kept_writes.emplace_back(ino);
  if (!Mutated("lease.keep_lost_writes")) handles_.LoseWrites(lost_writes);
  AdoptMap(reply.map());

  SessionState next;
  next.id = SessionId(reply.session_id());
  next.volume = VolumeId(reply.volume_id());
  next.ttl = std::max<Duration>(std::chrono::milliseconds(reply.ttl_ms()), std::chrono::milliseconds(300));
  next.metaserver = metaserver;
  next.era = reply.note().era();
  next.resumed_at = reply.note().number();
  next.evictions = reply.evictions();
  const bool is_new_process = reply.note().era() != std::exchange(era_, reply.note().era());
  const bool lost_power = state_ != nullptr && reply.power_losses() != power_losses_;
  power_losses_ = reply.power_losses();
  if (is_new_process) handles_.DoubtVersions(lost_power);
  if (lost_power) names_.NoteLoss();
  leases_.cache().Begin(reply.note(), kept_writes, LeaseEnd(sent_at, next.ttl));

  std::lock_guard lock(mutex_);
  if (state_ == nullptr) root_ino_ = Ino(reply.root_ino());
  bool resumed = state_ != nullptr && state_->id == next.id;
  next.generation = state_ == nullptr ? 1 : state_->generation + 1;
  next.ops = resumed ? state_->ops : std::make_shared<OpTracker>();
  if (!resumed) {
    // What a resumed session is told are ranges that it has, in part used.
    ids_.Clear();
    ids_.Add(reply.inos(), reply.chunk_ids());
  }
  state_ = std::make_shared<const SessionState>(std::move(next));
}

Task<Result<void>> MetaSession::Open(TimePoint deadline) {
  ClientLoop* loop = loops_.front();
  Backoff backoff = MakeRetryBackoff();
  for (;;) {
    Error last(ErrorCode::kUnavailable, "no metaserver is named");
    for (std::size_t i = 0; i < loop->metaserver_count(); ++i) {
      TimePoint limit = std::min(deadline, loop->Now() + kOpenLimit);
      Result<void> opened = co_await OpenAt(loop, i, SessionId(), limit);
      if (opened) {
        resumed_connection_ = loop->UrgentMetaserver(i).connection_count();
        co_return opened;
      }
      last = opened.error();
      if (!IsRetryable(last.code())) co_return last;
    }
    TimePoint next = loop->Now() + backoff.Next(loop->env().random);
    if (next >= deadline || stopping()) {
      co_return Error(
          ErrorCode::kUnavailable,
          fmt::format("no metaserver answers ({}); check its address and that it is running", last.message()));
    }
    co_await loop->env().clock.SleepUntil(next);
  }
}

void MetaSession::StartRenewing() {
  tasks_.Spawn(loops_.front()->env().executor, RenewUntilStopped());
}

void MetaSession::StopWaiting() {
  stopping_.store(true, std::memory_order_relaxed);
  renew_sleep_.Cancel();
}

Task<void> MetaSession::RenewUntilStopped() {
  ClientLoop* loop = loops_.front();
  Backoff backoff = MakeRetryBackoff();
  Duration pause = state()->ttl / 3;
  while (!stopping()) {
    co_await renew_sleep_.Until(loop->env(), loop->Now() + pause);
    if (stopping()) break;
    if (loop->env().Buggified("client.late_renewal")) {
      co_await renew_sleep_.Until(loop->env(), loop->Now() + std::chrono::milliseconds(500));
    }
    const std::uint64_t generation = state()->generation;
    Result<void> renewed = co_await RenewOnce();
    if (renewed) {
      backoff.Reset();
      // After a loss the metaserver gives nothing before it has heard that we know of it.
      pause = state()->generation == generation ? state()->ttl / 3 : Duration(0);
    } else {
      pause = backoff.Next(loop->env().random);
    }
  }
}

Task<Result<void>> MetaSession::RenewOnce() {
  ClientLoop* loop = loops_.front();
  SessionStatePtr now = state();
  RpcClient& client = loop->UrgentMetaserver(now->metaserver);

  proto::RenewSessionRequest request;
  request.set_session_id(now->id.value());
  request.set_volume_id(now->volume.value());
  request.set_map_version(map()->version());
  request.set_resumed_at(now->resumed_at);
  request.set_dirty_bytes(memory_.written());
  const TimePoint sent_at = loop->Now();
  Payload none;
  auto reply = co_await CallTyped<proto::RenewSessionReply>(client, proto::METHOD_RENEW_SESSION, request,
                                                            std::move(none), loop->Now() + now->ttl / 3);
  if (reply) {
    if (reply->message.has_map()) AdoptMap(reply->message.map());
    free_bytes_ = reply->message.free_bytes();
    sessions_ = reply->message.sessions();
    // Behind a new connection there may be a new metaserver process, which has to hear what we have open.
    // Who has to resume may have lost what it has: until it is told what, nothing is good for longer.
    if (client.connection_count() == resumed_connection_ && !reply->message.must_resume()) {
      const bool lapsed = reply->message.lapsed();
      const bool reads_overdue = reply->message.reads_overdue();
      if (state() == now) co_await leases_.Extend(loop->env(), LeaseEnd(sent_at, now->ttl), lapsed, reads_overdue);
      co_return Result<void>();
    }
  } else if (reply.error().code() != ErrorCode::kSessionExpired &&
             (loop->metaserver_count() == 1 || !IsRetryable(reply.error().code()))) {
    co_return reply.error();
  }
  co_return co_await Recover(loop, now->generation, Patience::Endless());
}

Task<Result<void>> MetaSession::Recover(ClientLoop* loop, std::uint64_t seen_generation, Patience patience) {
  AsyncMutex::Guard guard = co_await recovering_.Lock();
  Backoff backoff = MakeRetryBackoff();
  while (state()->generation == seen_generation) {
    if (stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    Result<void> recovered = co_await TryRecover(loop);
    if (recovered) {
      tasks_.Spawn(loops_.front()->env().executor, RenewFromFirstLoop());
      break;
    }
    if (recovered.error().code() == ErrorCode::kNotFound) {
      LogError("the session cannot be opened again: {}; unmount", recovered.error().message());
      std::vector<Ino> written;  // nobody will take it any more
      for (const proto::WrittenFile& file : handles_.WrittenFiles()) written.emplace_back(file.ino());
      handles_.LoseWrites(written);
      co_return Error(ErrorCode::kStale, recovered.error().message());
    }
    if (patience.IsOver(loop->Now())) co_return patience.GaveUp(recovered.error());
    co_await loop->env().clock.SleepFor(backoff.Next(loop->env().random));
  }
  co_return Result<void>();
}

Task<void> MetaSession::RenewFromFirstLoop() {
  RenewSoon();
  co_return;
}

/// One round over all metaservers, beginning with the last good one.
Task<Result<void>> MetaSession::TryRecover(ClientLoop* loop) {
  SessionStatePtr before = state();
  Error last(ErrorCode::kUnavailable, "no metaserver answers");
  for (std::size_t i = 0; i < loop->metaserver_count(); ++i) {
    std::size_t metaserver = (before->metaserver + i) % loop->metaserver_count();
    Result<void> opened = co_await OpenAt(loop, metaserver, before->id, loop->Now() + kOpenLimit);
    if (!opened && opened.error().code() == ErrorCode::kSessionExpired) {
      LogWarning("session {} has expired while the metaserver could not be reached; a new one is opened",
                 before->id.value());
      opened = co_await OpenAt(loop, metaserver, SessionId(), loop->Now() + kOpenLimit);
      // A new session has nothing open: resuming it at once names what is.
      if (opened) opened = co_await OpenAt(loop, metaserver, state()->id, loop->Now() + kOpenLimit);
    }
    if (opened) {
      if (loop == loops_.front()) resumed_connection_ = loop->UrgentMetaserver(metaserver).connection_count();
      co_return opened;
    }
    last = opened.error();
    if (!IsRetryable(last.code())) co_return last;
  }
  co_return last;
}

Task<void> MetaSession::Close(TimePoint deadline) {
  ClientLoop* loop = loops_.front();
  SessionStatePtr now = state();
  proto::CloseSessionRequest request;
  request.set_session_id(now->id.value());
  request.set_volume_id(now->volume.value());
  RpcClient& client = loop->Metaserver(now->metaserver);
  Payload none;
  auto closed = co_await CallTyped<proto::CloseSessionReply>(client, proto::METHOD_CLOSE_SESSION, request,
                                                             std::move(none), deadline);
  if (!closed) LogWarning("the session was left to expire: {}", closed.error().ToString());
}

Task<void> MetaSession::RefreshMap(ClientLoop* loop, std::uint64_t seen_version) {
  AsyncMutex::Guard guard = co_await refreshing_map_.Lock();
  if (map()->version() > seen_version || stopping()) co_return;
  proto::GetClusterMapRequest request;
  request.set_known_version(map()->version());
  RpcClient& client = loop->UrgentMetaserver(state()->metaserver);
  Payload none;
  auto reply = co_await CallTyped<proto::GetClusterMapReply>(client, proto::METHOD_GET_CLUSTER_MAP, request,
                                                             std::move(none), loop->Now() + kMapLimit);
  if (reply && reply->message.has_map()) AdoptMap(reply->message.map());
}

std::optional<NewFileIds> MetaSession::TryTakeFileIds(ClientLoop* loop) {
  std::optional<NewFileIds> taken = ids_.TakeForFile();
  FetchIdsAhead(loop);
  return taken;
}

Task<Result<NewFileIds>> MetaSession::TakeFileIds(ClientLoop* loop) {
  for (;;) {
    if (std::optional<NewFileIds> taken = TryTakeFileIds(loop)) co_return *taken;
    CO_TRY(co_await FetchIds(loop));
  }
}

Task<Result<std::vector<ChunkId>>> MetaSession::TakeChunkIds(ClientLoop* loop, std::size_t count) {
  std::vector<ChunkId> taken;
  while (taken.size() < count) {
    std::optional<ChunkId> id = ids_.TakeChunk();
    if (id) {
      taken.push_back(*id);
    } else {
      CO_TRY(co_await FetchIds(loop));
    }
  }
  FetchIdsAhead(loop);
  co_return taken;
}

void MetaSession::FetchIdsAhead(ClientLoop* loop) {
  if (!ids_.low() || stopping() || fetching_ahead_.exchange(true)) return;
  tasks_.Spawn(loop->env().executor, FetchIdsInBackground(loop));
}

Task<void> MetaSession::FetchIdsInBackground(ClientLoop* loop) {
  (void)co_await FetchIds(loop);  // whoever finds the pool empty asks again and gets the error
  fetching_ahead_.store(false);
}

/// Gets more ids unless somebody did so meanwhile.
Task<Result<void>> MetaSession::FetchIds(ClientLoop* loop) {
  const Patience patience = NewPatience(loop);
  AsyncMutex::Guard guard = co_await fetching_ids_.Lock();
  Backoff backoff = MakeRetryBackoff();
  while (ids_.low()) {
    if (stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    std::uint64_t generation = state()->generation;
    Result<void> fetched = co_await DelegateOnce(loop);
    if (fetched) break;
    if (fetched.error().code() == ErrorCode::kSessionExpired) {
      CO_TRY(co_await Recover(loop, generation, patience));
    } else if (IsRetryable(fetched.error().code())) {
      if (patience.IsOver(loop->Now())) co_return patience.GaveUp(fetched.error());
      co_await loop->env().clock.SleepFor(backoff.Next(loop->env().random));
    } else {
      co_return fetched.error();
    }
  }
  co_return Result<void>();
}

Task<Result<void>> MetaSession::DelegateOnce(ClientLoop* loop) {
  SessionStatePtr now = state();
  proto::DelegateIdsRequest request;
  request.set_session_id(now->id.value());
  request.set_volume_id(now->volume.value());
  request.set_inos(ids_.missing_inos());
  request.set_chunk_ids(ids_.missing_chunks());
  RpcClient& client = loop->UrgentMetaserver(now->metaserver);
  Payload none;
  auto reply = co_await CallTyped<proto::DelegateIdsReply>(client, proto::METHOD_DELEGATE_IDS, request, std::move(none),
                                                           loop->Now() + AttemptLimit::kFirst);
  if (!reply) co_return reply.error();
  if (reply->message.inos().count() == 0 && reply->message.chunk_ids().count() == 0) {
    co_return Error(ErrorCode::kProtocol, "the metaserver delegated no ids");
  }
  // Ids of a session that was replaced meanwhile are not ours.
  if (state()->id == now->id) ids_.Add(reply->message.inos(), reply->message.chunk_ids());
  co_return Result<void>();
}

}  // namespace gabion
