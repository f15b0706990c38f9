// What evicted sessions have sent to the chunkservers is not done any more.
#include <fmt/format.h>

#include "metaserver/cluster/cluster.h"

namespace gabion {

Task<Result<void>> Cluster::FenceSession(SessionId session, std::uint32_t evictions, Env& env) {
  constexpr Duration kLook = std::chrono::milliseconds(10);
  // Who has not confirmed by then has a lease, and does not get what it is told.
  const TimePoint limit = env.clock.Now() + 2 * options_.server_lease;
  {
    const std::lock_guard lock(mutex_);
    std::set<ServerId> alive;
    for (const auto& [id, server] : servers_) {
      if (server.alive) alive.insert(id);
    }
    fencer_.Begin(session, evictions, std::move(alive));
  }
  while (!IsFenced(session)) {
    if (env.clock.Now() >= limit) break;
    co_await env.clock.SleepFor(kLook);
  }
  const std::lock_guard lock(mutex_);
  const std::set<ServerId> awaited = fencer_.Awaited(session);
  fencer_.End(session);
  if (awaited.empty()) co_return Result<void>();
  co_return Error(ErrorCode::kUnavailable,
                  fmt::format("chunkserver {} has not confirmed that it refuses what session {} has sent",
                              awaited.begin()->value(), session.value()));
}

/// Or nobody waits for it any more.
bool Cluster::IsFenced(SessionId session) const {
  const std::lock_guard lock(mutex_);
  return closed_ || fencer_.IsDone(session);
}

void Cluster::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace gabion
