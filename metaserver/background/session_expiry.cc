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

Task<Result<void>> Duties::ExpireSessions() {
  const TimePoint limit = env_.clock.Now() - options_.session_expiry;
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    std::vector<SessionId> silent;
    std::vector<SessionId> ended;
    volume->WithState([&](VolumeState& state) {
      if (state.closed) return;
      silent = state.sessions.HeardBefore(limit);
      ended.assign(state.ended_sessions.begin(), state.ended_sessions.end());
    });
    for (SessionId id : silent) {
      if (stopping_) co_return Result<void>();
      // What its client has sent may still be under way.
      Result<bool> evicted = co_await volume->Evict(id, env_);
      CO_TRY(evicted);
      if (!*evicted) continue;  // it is back
      Result<void> expired = co_await EndSession(volume, id, env_);
      CO_TRY(expired);
      ended.push_back(id);
      LogWarning("session {} of volume '{}' has expired: its client was silent for {} s", id.value(), volume->name(),
                 std::chrono::duration_cast<std::chrono::seconds>(options_.session_expiry).count());
    }
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
