#include "metaserver/volume/volume.h"

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/env/mutate.h"

namespace gabion {

namespace {

// Rounds of loading for one op: a path walk of that depth, or a store whose cache is too small to hold what one op
// reads.
constexpr int kMaxTurns = 1024;

Error StoreBroken(const Error& error) {
  return Error(ErrorCode::kUnavailable, "the metadata store takes no writes: " + error.message());
}

}  // namespace

Volume::Volume(VolumeId id, records::Volume record, KvStore& kv, Cluster& cluster, Duration session_ttl,
               std::uint64_t data_version_floor, Random& random)
    : kv_(kv),
      cluster_(cluster),
      name_(record.name()),
      session_ttl_(session_ttl),
      state_(id, random.Next(), data_version_floor) {
  state_.record = std::move(record);
}

void Volume::InitializeNew(std::uint64_t next_ino, const records::VolumeStats& stats) {
  const std::lock_guard lock(mutex_);
  state_.next_ino = next_ino;
  state_.stats = stats;
}

Task<Result<std::string>> Volume::Mutate(const proto::OpHeader& header, OpTraits traits, Op op, TimePoint wait_until,
                                         Env& env) {
  auto take_turn = [this, &header, traits, op = std::move(op), &env](Wants& wants) {
    return TakeMutationTurn(wants, header, traits, op, env);
  };
  return FinishTurns(std::move(take_turn), wait_until, env);
}

Task<Result<std::string>> Volume::Read(const proto::OpHeader& header, Op op, TimePoint wait_until, Env& env) {
  auto take_turn = [this, &header, op = std::move(op), &env](Wants& wants) {
    return TakeReadTurn(wants, header, op, env);
  };
  return FinishTurns(std::move(take_turn), wait_until, env);
}

Task<Result<void>> Volume::Run(Decision decide, Publish publish, Env& env, TimePoint wait_until) {
  std::function<Turn(Wants&)> take_turn = [this, &decide, &publish, &env](Wants& wants) {
    return TakeInternalTurn(wants, decide, publish, env);
  };
  Result<std::string> result = co_await FinishTurns(std::move(take_turn), wait_until, env);
  CO_TRY(result);
  co_return Result<void>();
}

Task<Result<std::string>> Volume::FinishTurns(std::function<Turn(Wants&)> take_turn, TimePoint wait_until, Env& env) {
  Wants wants(*this, wait_until);
  for (int i = 0; i < kMaxTurns; ++i) {
    Turn turn = take_turn(wants);
    if (turn.obstacle) {
      if (env.clock.Now() >= wait_until)
        co_return Error(ErrorCode::kHeld, "other clients have not returned their leases in time");
      co_await turn.obstacle->Wait();
      continue;
    }
    if (turn.misses.empty()) {
      if (turn.commit.value() > known_applied_.load(std::memory_order_acquire)) {
        Result<void> applied = co_await AwaitApplied(turn.commit);
        CO_TRY(applied);
      }
      co_return std::move(turn.reply);
    }
    Result<void> loaded = co_await LoadMisses(std::move(turn.misses));
    CO_TRY(loaded);
  }
  co_return Error(ErrorCode::kUnavailable,
                  "an op found no end: the metadata store does not keep in memory what it loads (give it a larger "
                  "cache), or other clients keep taking leases on what it changes");
}

Volume::Turn Volume::TakeMutationTurn(Wants& wants, const proto::OpHeader& header, OpTraits traits, const Op& op,
                                      Env& env) {
  const std::lock_guard lock(mutex_);
  Result<Session*> live = LiveSession(header, env);
  if (!live) return {live.error(), {}, {}};
  Session& session = **live;
  if (session.read_only && !traits.read_only)
    return {Error(ErrorCode::kReadOnly, "the volume is mounted read-only"), {}, {}};
  if (traits.holds && !session.MayHold()) {
    return {
        Error(ErrorCode::kUnavailable, "the session has to be resumed first, for the sake of what it holds"), {}, {}};
  }
  if (header.seq() == 0 && traits.seq_optional) return Execute(wants, session, header, op, env);

  Result<ReplayWindow::Answer> answer =
      session.window.Check(OpSeq(header.seq()), header.acked_below(), header.groups_size() > 0);
  if (!answer) return {answer.error(), {}, {}};
  session.window.Acknowledge(header.acked_below());
  if (answer->verdict != ReplayWindow::Verdict::kNew) return Replay(session, OpSeq(header.seq()), *answer);
  return Execute(wants, session, header, op, env);
}

Volume::Turn Volume::TakeReadTurn(Wants& wants, const proto::OpHeader& header, const Op& op, Env& env) {
  const std::lock_guard lock(mutex_);
  Result<Session*> live = LiveSession(header, env);
  if (!live) return {live.error(), {}, {}};
  Txn txn(kv_, state_.id);
  const std::shared_ptr<const Placement> placement = cluster_.placement();
  const TimePoint now = env.clock.Now();
  OpContext context{state_,     *live, Credentials::Of(header), OpSeq(), now, env.clock.WallNowNs(), *placement,
                    env.random, {}};
  Result<std::string> reply = op(txn, context);
  CHECK(txn.empty());
  if (!reply && reply.error().code() == ErrorCode::kWouldBlock) return {std::move(reply), txn.misses(), {}};
  if (reply) {
    Result<std::shared_ptr<AsyncEvent>> obstacle = FindObstacle(wants, txn, context);
    if (!obstacle) return {obstacle.error(), {}, {}};
    if (*obstacle) return {std::string(), {}, {}, *obstacle};
    if (!context.effects.leased.empty()) NoteLeases({}, context, *reply);
  }
  // What was read may come from a commit that does not yet survive this process.
  return {std::move(reply), {}, last_commit_};
}

Volume::Turn Volume::TakeInternalTurn(Wants& wants, const Decision& decide, const Publish& publish, Env& env) {
  const std::lock_guard lock(mutex_);
  if (state_.closed) return {Error(ErrorCode::kStale, fmt::format("volume '{}' was deleted", name_)), {}, {}};
  Txn txn(kv_, state_.id);
  const std::shared_ptr<const Placement> placement = cluster_.placement();
  const TimePoint now = env.clock.Now();
  OpContext context{state_, nullptr, {}, OpSeq(), now, env.clock.WallNowNs(), *placement, env.random, {}};
  if (Result<void> decided = decide(txn, context); !decided) {
    if (decided.error().code() == ErrorCode::kWouldBlock) return {decided.error(), txn.misses(), {}};
    return {decided.error(), {}, {}};
  }
  Result<std::shared_ptr<AsyncEvent>> obstacle = FindObstacle(wants, txn, context);
  if (!obstacle) return {obstacle.error(), {}, {}};
  if (*obstacle) return {std::string(), {}, {}, *obstacle};
  StageStats(txn, context.effects);
  Result<CommitSeq> commit = Apply(txn);
  if (!commit) return {commit.error(), {}, {}};
  ApplyEffects(nullptr, context.effects);
  if (publish) publish(state_);
  return {std::string(), {}, *commit};
}

Result<Session*> Volume::LiveSession(const proto::OpHeader& header, Env& env) {
  Session* session = state_.closed ? nullptr : state_.sessions.Find(SessionId(header.session_id()));
  if (session == nullptr) {
    return Error(ErrorCode::kSessionExpired,
                 fmt::format("session {} of volume '{}' is unknown or has expired", header.session_id(), name_));
  }
  session->last_heard = env.clock.Now();
  return session;
}

Volume::Turn Volume::Replay(Session& session, OpSeq seq, const ReplayWindow::Answer& answer) {
  if (answer.outcome) {
    if (const Error* failure = std::get_if<Error>(&*answer.outcome)) return {*failure, {}, {}};
    return {std::get<std::string>(*answer.outcome), {}, last_commit_};
  }
  Txn txn(kv_, state_.id);
  Result<std::optional<records::OpReply>> stored = txn.FindOpReply(session.id, seq);
  if (!stored) return {stored.error(), txn.misses(), {}};
  if (!*stored) {
    return {Error(ErrorCode::kCorrupt,
                  fmt::format("the stored reply of op {} of session {} is missing", seq.value(), session.id.value())),
            {},
            {}};
  }
  // The handle was lost with the process that ran the op, and the client may not have known its file to reclaim it.
  const HandleId handle((*stored)->opened_handle());
  if (handle && !session.handles.contains(handle))
    state_.sessions.OpenHandle(session, handle, Ino((*stored)->opened_ino()));
  return {std::move(*(*stored)->mutable_reply()), {}, last_commit_};
}

Volume::Turn Volume::Execute(Wants& wants, Session& session, const proto::OpHeader& header, const Op& op, Env& env) {
  const OpSeq seq(header.seq());
  const bool with_groups = header.groups_size() > 0;
  Txn txn(kv_, state_.id);
  const std::shared_ptr<const Placement> placement = cluster_.placement();
  const TimePoint now = env.clock.Now();
  OpContext context{state_,     &session, Credentials::Of(header), seq, now, env.clock.WallNowNs(), *placement,
                    env.random, {}};
  Result<std::string> reply = op(txn, context);
  if (!reply) {
    if (reply.error().code() == ErrorCode::kWouldBlock) return {std::move(reply), txn.misses(), {}};
    if (seq && IsFinalFailure(reply.error().code())) session.window.RecordOutcome(seq, reply.error(), with_groups);
    return {std::move(reply), {}, {}};
  }
  Result<std::shared_ptr<AsyncEvent>> obstacle = FindObstacle(wants, txn, context);
  if (!obstacle) return {obstacle.error(), {}, {}};
  if (*obstacle) return {std::string(), {}, {}, *obstacle};
  if (txn.empty()) {
    if (seq) session.window.RecordOutcome(seq, *reply, with_groups);
    ApplyEffects(&session, context.effects);
    for (const OpEffects::LockChange& change : context.effects.locks) ApplyLock(change, now);
    NoteLeases({}, context, *reply);
    return {std::move(reply), {}, last_commit_};
  }
  StageStats(txn, context.effects);
  std::vector<OpSeq> purged;
  if (seq) {
    records::OpReply record;
    record.set_acked_below(header.acked_below());
    record.set_reply(*reply);
    CHECK(context.effects.opened.size() <= 1);
    for (const OpEffects::Opened& opened : context.effects.opened) {
      record.set_opened_handle(opened.handle.value());
      record.set_opened_ino(opened.ino.value());
    }
    txn.PutOpReply(session.id, seq, record);
    purged = session.window.PurgeCandidates(header.acked_below());
    for (OpSeq old : purged) txn.DeleteOpReply(session.id, old);
  }
  proto::LeaseNote note = NoteChanges(txn, context);
  Result<CommitSeq> commit = Apply(txn);
  if (!commit) return {commit.error(), {}, {}};
  if (seq) {
    session.window.RecordPurged(purged);
    session.window.RecordStored(seq);
  }
  ApplyEffects(&session, context.effects);
  NoteLeases(std::move(note), context, *reply);
  return {std::move(reply), {}, *commit};
}

void Volume::StageStats(Txn& txn, const OpEffects& effects) const {
  if (effects.inodes_delta == 0 && effects.used_bytes_delta == 0) return;
  records::VolumeStats stats = state_.stats;
  stats.set_inodes(stats.inodes() + static_cast<std::uint64_t>(effects.inodes_delta));
  stats.set_used_bytes(stats.used_bytes() + static_cast<std::uint64_t>(effects.used_bytes_delta));
  txn.PutVolumeStats(stats);
}

Result<CommitSeq> Volume::Apply(Txn& txn) {
  if (txn.empty()) return last_commit_;
  Result<CommitSeq> commit = kv_.Apply(txn.TakeBatch());
  if (!commit) {
    LogError("volume '{}': {}", name_, commit.error().ToString());
    return StoreBroken(commit.error());
  }
  last_commit_ = *commit;
  return commit;
}

void Volume::ApplyEffects(Session* session, const OpEffects& effects) {
  for (const OpEffects::Opened& opened : effects.opened)
    state_.sessions.OpenHandle(*session, opened.handle, opened.ino);
  for (HandleId handle : effects.closed) state_.sessions.CloseHandle(*session, handle);
  state_.orphans.insert(effects.orphans_added.begin(), effects.orphans_added.end());
  for (Ino ino : effects.orphans_removed) state_.orphans.erase(ino);
  state_.reclaims.insert(effects.reclaims_added.begin(), effects.reclaims_added.end());
  for (Ino ino : effects.reclaims_removed) state_.reclaims.erase(ino);
  state_.stats.set_inodes(state_.stats.inodes() + static_cast<std::uint64_t>(effects.inodes_delta));
  state_.stats.set_used_bytes(state_.stats.used_bytes() + static_cast<std::uint64_t>(effects.used_bytes_delta));
  if (effects.garbage_added > 0) cluster_.AddGarbageCount(effects.garbage_added);
}

Task<Result<void>> Volume::LoadMisses(std::vector<Txn::Miss> misses) {
  for (Txn::Miss& miss : misses) {
    Result<void> loaded;
    if (miss.last) {
      loaded = co_await kv_.LoadRange(std::move(miss.first), std::move(*miss.last), miss.max_entries);
    } else {
      loaded = co_await kv_.Load(std::move(miss.first));
    }
    CO_TRY(loaded);
  }
  co_return Result<void>();
}

Task<Result<void>> Volume::AwaitApplied(CommitSeq seq) {
  Result<void> applied = co_await kv_.WaitApplied(seq);
  if (!applied) co_return StoreBroken(applied.error());
  std::uint64_t known = known_applied_.load(std::memory_order_relaxed);
  while (known < seq.value() && !known_applied_.compare_exchange_weak(known, seq.value(), std::memory_order_release)) {
  }
  co_return Result<void>();
}

Task<Result<CommitSeq>> Volume::Sync(const proto::OpHeader& header, Env& env) {
  Result<void> live = WithState([&](VolumeState&) -> Result<void> {
    Result<Session*> session = LiveSession(header, env);
    if (!session) return session.error();
    // Till then its client may not know that what it wants to be synced is lost.
    if (!(*session)->resumed) return Error(ErrorCode::kUnavailable, "the session has to be resumed first");
    return {};
  });
  CO_TRY(live);
  if (Mutated("meta.sync_nothing")) co_return last_commit_;
  Result<CommitSeq> durable = co_await kv_.Sync();
  if (!durable) co_return StoreBroken(durable.error());
  co_return durable;
}

}  // namespace gabion
