#include "metaserver/background/duties.h"

#include <asio/post.hpp>

#include "common/base/log.h"

namespace gabion {

namespace {

// Short beside leases and expiries, long beside what a pass costs when there is nothing to do.
constexpr Duration kPassInterval = std::chrono::milliseconds(500);

}  // namespace

Task<void> Duties::Yield() {
  co_await asio::post(env_.executor, asio::use_awaitable);
}

void Duties::Start() {
  group_.Spawn(env_.executor, Run());
}

Task<void> Duties::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await group_.Join();
}

Task<void> Duties::Run() {
  using Pass = Task<Result<void>> (Duties::*)();
  constexpr Pass kPasses[] = {&Duties::ExpireSessions, &Duties::ReclaimOrphans, &Duties::ReclaimChunks,
                              &Duties::ReclaimVolumes};
  while (!stopping_) {
    cluster_.ExpireLeases(env_.clock.Now());
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

}  // namespace gabion
