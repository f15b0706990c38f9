#include "common/base/log.h"
#include "metaserver/background/duties.h"
#include "metaserver/session/session_ops.h"

namespace gabion {

namespace {

constexpr std::size_t kRepliesPerStep = 256;

/// Removes some stored replies of an ended session, and with the last of them the session's record.
Task<Result<void>> RemoveEndedSession(std::shared_ptr<Volume> volume, SessionId id, Env& env) {
  bool finished = false;
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    TRY_ASSIGN(std::vector<std::string> keys, txn.ListKeys(OpReplyPrefix(context.state.id, id), kRepliesPerStep));
    finished = keys.size() < kRepliesPerStep;
    for (std::string& key : keys) txn.DeleteKey(std::move(key));
    if (finished) txn.DeleteSession(id);
    return {};
  };
  Volume::Publish publish = [&](VolumeState& state) {
    if (finished) state.ended_sessions.erase(id);
  };
  Result<void> removed = co_await volume->Run(std::move(decide), std::move(publish), env);
  co_return removed;
}

}  // namespace

/// What its client has sent may still be under way: it is evicted first. Failing with one keeps no other waiting.
Task<void> Duties::Expire(std::shared_ptr<Volume> volume, SessionId id) {
  Result<bool> evicted = co_await volume->Evict(id, env_);
  if (evicted && !*evicted) co_return;  // it is back
  Result<void> expired;
  if (evicted) {
    expired = co_await EndSession(volume, id, env_);
  } else {
    expired = evicted.error();
  }
  if (!expired) {
    LogWarning("session {} of volume '{}' could not be ended: {}", id.value(), volume->name(),
               expired.error().ToString());
    co_return;
  }
  LogWarning("session {} of volume '{}' has expired: its client was silent for {} s", id.value(), volume->name(),
             std::chrono::duration_cast<std::chrono::seconds>(options_.session_expiry).count());
}

Task<Result<void>> Duties::ExpireSessions() {
  const TimePoint limit = env_.clock.Now() - options_.session_expiry;
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    std::vector<SessionId> silent;
    std::vector<SessionId> ended;
    volume->WithState([&](VolumeState& state) {
      if (state.closed) return;
      silent = state.sessions.HeardBefore(limit);
    });
    if (silent.size() > kMaxEvictionsPerPass) silent.resize(kMaxEvictionsPerPass);
    TaskGroup expiring;
    for (SessionId id : silent) expiring.Spawn(env_.executor, Expire(volume, id));
    co_await expiring.Join();
    volume->WithState(
        [&](VolumeState& state) { ended.assign(state.ended_sessions.begin(), state.ended_sessions.end()); });
    for (SessionId id : ended) {
      if (stopping_) co_return Result<void>();
      Result<void> removed = co_await RemoveEndedSession(volume, id, env_);
      CO_TRY(removed);
      co_await Yield();
    }
  }
  co_return Result<void>();
}

}  // namespace gabion
