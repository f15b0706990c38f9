#pragma once

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

  /// The kernel has moved an entry from one directory to another. Returns when a recall of either would wait for it.
  Task<void> Moved(Env& env, Ino from, Ino to);

  /// Waits until the kernel uses no entries any more, and has it forget attributes; false if it has not done that
  /// within a second.
  Task<bool> Forget(Env& env, LeaseCache::KernelWork work);

 private:
  /// `until`: of LeaseCache::Running.
  Task<void> AwaitKernel(Env& env, TimePoint until);

  KernelCaches& kernel_;
  LeaseCache cache_;
};

}  // namespace gabion
