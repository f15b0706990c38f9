#include "fs-client/session/outage_log.h"

#include "common/base/log.h"

namespace gabion {
namespace {

std::int64_t Seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

void OutageLog::Failed(std::uint32_t key, TimePoint now, const Error& error) {
  Duration lasting{0};
  {
    std::lock_guard lock(mutex_);
    auto found = outages_.find(key);
    if (found == outages_.end()) {
      if (outages_.size() >= kMaxTracked) return;
      outages_.emplace(key, Outage{now});
      count_.store(outages_.size(), std::memory_order_relaxed);
      return;
    }
    if (found->second.logged || now - found->second.since < kPatience) return;
    found->second.logged = true;
    lasting = now - found->second.since;
  }
  LogWarning("{} {} does not answer since {} s ({}); calls wait for it", kind_, key, Seconds(lasting),
             error.ToString());
}

void OutageLog::Succeeded(std::uint32_t key, TimePoint now) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  Outage ended;
  {
    std::lock_guard lock(mutex_);
    auto found = outages_.find(key);
    if (found == outages_.end()) return;
    ended = found->second;
    outages_.erase(found);
    count_.store(outages_.size(), std::memory_order_relaxed);
  }
  if (ended.logged) LogInfo("{} {} answers again after {} s", kind_, key, Seconds(now - ended.since));
}

}  // namespace gabion
