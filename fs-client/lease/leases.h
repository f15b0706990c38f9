#pragma once

#include "common/coro/task.h"
#include "fs-client/io/kernel_caches.h"
#include "fs-client/lease/lease_cache.h"

namespace gabion {

/// The client's leases together with what the kernel does under them. Any loop.
class Leases {
 public:
  /// `kernel` outlives it.
  explicit Leases(KernelCaches& kernel) : kernel_(kernel) {}

  LeaseCache& cache() { return cache_; }
  const LeaseCache& cache() const { return cache_; }

  /// Gives up all leases, the kernel's share included: before the session goes on elsewhere or anew.
  Task<void> End();
  /// The session was renewed by a request sent when it was good until then.
  Task<void> Extend(TimePoint valid_until, TimePoint now);
  /// An op of our own was answered. `header`: the answer, of any kind.
  Task<void> Changed(const std::string& header);
  /// An op of our own may have been done or not.
  Task<void> Unsure();

  /// Has the kernel forget; false if it has not within a second.
  Task<bool> Forget(LeaseCache::KernelWork work);

  /// For how long, in ns, the kernel may use an entry of the directory from that answer.
  std::uint64_t EntryForNs(Ino directory, const proto::LeaseNote& note, TimePoint now);

 private:
  KernelCaches& kernel_;
  LeaseCache cache_;
};

}  // namespace gabion
