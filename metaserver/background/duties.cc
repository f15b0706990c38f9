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

}  // namespace

Task<void> Duties::Yield() {
  co_await asio::post(env_.executor, asio::use_awaitable);
}

void Duties::Start() {
  group_.Spawn(env_.executor, Run());
  group_.Spawn(env_.executor, WatchLeases());
}

Task<void> Duties::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  lease_sleep_.Cancel();
  co_await group_.Join();
}

Task<void> Duties::Run() {
  using Pass = Task<Result<void>> (Duties::*)();
  constexpr Pass kPasses[] = {&Duties::ExpireSessions, &Duties::ReclaimOrphans, &Duties::ReclaimChunks,
                              &Duties::ReclaimVolumes};
  while (!stopping_) {
    for (Pass pass : kPasses) {
      if (stopping_) break;
      Result<void> done = co_await (this->*pass)();
      // A volume that was deleted meanwhile (kStale) has nothing left to do.
      if (!done && done.error().code() != ErrorCode::kStale && !stopping_)
        LogWarning("background work: {}", done.error().ToString());
    }
    if (stopping_) break;
    const TimePoint next = env_.clock.Now() + kPassInterval;
    co_await sleep_.Until(env_, next);
  }
}

Task<void> Duties::WatchLeases() {
  TimePoint due = env_.clock.Now();
  while (!stopping_) {
    // Requests waited as long as this did: those that renew leases are among them.
    if (const Duration late = env_.clock.Now() - due; late > kStandstill) cluster_.ExtendLeases(late);
    Result<void> expired = co_await cluster_.ExpireLeases(env_);
    if (!expired && !stopping_) LogWarning("watching leases: {}", expired.error().ToString());
    for (const std::shared_ptr<Volume>& volume : volumes_.List()) volume->TendLeases(env_.clock.Now());
    if (stopping_) break;
    due = env_.clock.Now() + kLeaseInterval;
    co_await lease_sleep_.Until(env_, due);
  }
}

}  // namespace gabion
