#include "metaserver/background/duties.h"

#include <asio/post.hpp>

#include "common/base/log.h"

namespace gabion {

namespace {

// Short beside expiries, long beside what a pass costs when there is nothing to do.
constexpr Duration kPassInterval = std::chrono::milliseconds(500);
// Short beside a lease: it adds to the time for which a dead server holds up writes.
constexpr Duration kLeaseInterval = std::chrono::milliseconds(100);
// Longer than a busy loop keeps a duty waiting.
constexpr Duration kStandstill = std::chrono::milliseconds(500);
// Longer than chunkservers need to take in what a client has gathered.
constexpr Duration kSlowReturn = std::chrono::seconds(30);
constexpr Duration kWarnAgain = std::chrono::seconds(60);

}  // namespace

Task<void> Duties::Yield() {
  co_await asio::post(env_.executor, asio::use_awaitable);
}

void Duties::Start() {
  group_.Spawn(env_.executor, Run());
  group_.Spawn(env_.executor, WatchSessions());
  group_.Spawn(env_.executor, WatchLeases());
  group_.Spawn(env_.executor, WatchClock());
}

Task<void> Duties::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  session_sleep_.Cancel();
  lease_sleep_.Cancel();
  clock_sleep_.Cancel();
  co_await group_.Join();
}

Task<void> Duties::Run() {
  static constexpr Pass kPasses[] = {&Duties::ReclaimOrphans, &Duties::ReclaimChunks, &Duties::ReclaimVolumes};
  return TakePasses(kPasses, sleep_);
}

Task<void> Duties::WatchSessions() {
  static constexpr Pass kPasses[] = {&Duties::EvictLapsed, &Duties::ExpireSessions};
  return TakePasses(kPasses, session_sleep_);
}

Task<void> Duties::TakePasses(std::span<const Pass> passes, CancellableSleep& sleep) {
  while (!stopping_) {
    for (Pass pass : passes) {
      if (stopping_) break;
      Result<void> done = co_await (this->*pass)();
      // A volume that was deleted meanwhile (kStale) has nothing left to do.
      if (!done && done.error().code() != ErrorCode::kStale && !stopping_)
        LogWarning("background work: {}", done.error().ToString());
    }
    if (stopping_) break;
    const TimePoint next = env_.clock.Now() + kPassInterval;
    co_await sleep.Until(env_, next);
  }
}

Task<void> Duties::WatchLeases() {
  TimePoint due = env_.clock.Now();
  while (!stopping_) {
    // Requests waited as long as this did: those that renew leases are among them.
    if (const Duration late = env_.clock.Now() - due; late > kStandstill) cluster_.ExtendLeases(late);
    Result<void> expired = co_await cluster_.ExpireLeases(env_);
    if (!expired && !stopping_) LogWarning("watching leases: {}", expired.error().ToString());
    if (stopping_) break;
    due = env_.clock.Now() + kLeaseInterval;
    co_await lease_sleep_.Until(env_, due);
  }
}

/// It waits for nothing else, and so sees every standstill, and ends in time what is waited for.
Task<void> Duties::WatchClock() {
  last_tick_ = env_.clock.Now();
  while (!stopping_) {
    const Duration late = env_.clock.Now() - last_tick_ - kLeaseInterval;
    if (late > kStandstill) {
      for (const std::shared_ptr<Volume>& volume : volumes_.List()) volume->ExtendSessions(late);
    }
    for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
      volume->TendLeases(env_.clock.Now());
      volume->TendLocks(env_.clock.Now());
    }
    last_tick_ = env_.clock.Now();
    const TimePoint next = last_tick_ + kLeaseInterval;
    co_await clock_sleep_.Until(env_, next);
  }
}

Task<Result<void>> Duties::EvictLapsed() {
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    // After a standstill sessions get more time first.
    if (stopping_ || env_.clock.Now() - last_tick_ > kStandstill) co_return Result<void>();
    std::vector<SessionId> lapsed = volume->FindLapsedHolders(env_.clock.Now());
    // At once, for each waits for the chunkservers' word; the others in the next pass.
    if (lapsed.size() > kMaxEvictionsPerPass) lapsed.resize(kMaxEvictionsPerPass);
    TaskGroup evictions;
    for (SessionId holder : lapsed) evictions.Spawn(env_.executor, EvictFrom(volume, holder));
    co_await evictions.Join();
    for (SessionId session : volume->FindHeardLosses()) {
      Result<void> forgotten = co_await volume->ForgetLoss(session, env_);
      CO_TRY(forgotten);
    }
    WarnOfSlowReturns(*volume);
  }
  co_return Result<void>();
}

/// Failing with one session does not keep the others waiting; the next pass tries again.
Task<void> Duties::EvictFrom(std::shared_ptr<Volume> volume, SessionId holder) {
  const bool requested = volume->WithState([holder](VolumeState& state) {
    const Session* session = state.sessions.Find(holder);
    return session != nullptr && session->evict_requested;
  });
  Result<bool> taken = co_await volume->Evict(holder, env_);
  if (!taken) {
    LogWarning("session {} of volume '{}' could not be evicted: {}", holder.value(), volume->name(),
               taken.error().ToString());
  } else if (*taken) {
    LogInfo(
        "session {} of volume '{}' {}: others may have its locks, and what it has written and not brought to the "
        "chunkservers is lost",
        holder.value(), volume->name(), requested ? "was evicted, as asked" : "has not been renewed in time");
  }
}

void Duties::WarnOfSlowReturns(Volume& volume) {
  const TimePoint now = env_.clock.Now();
  if (now < last_warning_ + kWarnAgain) return;
  const auto slow = volume.WithState([](VolumeState& state) { return state.leases.OldestRecall(); });
  if (!slow || now < slow->since + kSlowReturn) return;
  last_warning_ = now;
  LogWarning(
      "session {} of volume '{}' has not returned its lease on inode {} for {} s: others wait for what was written "
      "there; its client may not reach the chunkservers",
      slow->session.value(), volume.name(), slow->ino.value(),
      std::chrono::duration_cast<std::chrono::seconds>(now - slow->since).count());
}

}  // namespace gabion
