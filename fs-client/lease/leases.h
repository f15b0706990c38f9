#pragma once

#include <atomic>

#include "common/coro/task.h"
#include "common/env/env.h"
#include "fs-client/io/kernel_caches.h"
#include "fs-client/lease/lease_cache.h"

namespace gabion {

/// The client's leases together with what the kernel does under them. Any loop.
class Leases {
 public:
  /// `kernel` outlives it.
  explicit Leases(KernelCaches& kernel) : kernel_(kernel) {}

  LeaseCache& cache() { return cache_; }

  /// Gives up all leases, the kernel's share included: before the session goes on elsewhere or anew.
  Task<void> End(Env& env);
  /// The session was renewed, and is good until then.
  Task<void> Extend(Env& env, TimePoint valid_until, bool lapsed, bool reads_overdue);
  /// An op of our own was answered.
  Task<void> Changed(Env& env, const proto::LeaseNote& note);
  /// An op of our own may have been done or not, or may still be done before `until`.
  Task<void> Unsure(Env& env, TimePoint until);

  /// A rename was done. Returns when the kernel may hear of it: a recall of either directory then ends what it uses.
  Task<void> Moved(Env& env, const LeaseCache::Move& move);

  /// Returns when the kernel uses none of the entries any more, and has forgotten the attributes; false if it has not
  /// done the latter within a second.
  Task<bool> Forget(Env& env, LeaseCache::KernelWork work);
  /// Whether the kernel is at that with entries, for which it needs the lock of their directory. Any thread.
  bool IsForgetting() const { return forgetting_ > 0; }

 private:
  /// `until`: of LeaseCache::Running.
  Task<void> AwaitKernel(Env& env, TimePoint until);
  Task<void> ForgetEntries(Env& env, const LeaseCache::KernelWork& work);

  KernelCaches& kernel_;
  LeaseCache cache_;
  std::atomic<int> forgetting_ = 0;
};

}  // namespace gabion
