#include "fs-client/lease/leases.h"

#include <utility>

namespace gabion {

Task<void> Leases::End(Env& env) {
  const TimePoint valid_until = cache_.valid_until();
  LeaseCache::KernelWork work = cache_.End();
  bool forgotten = co_await Forget(std::move(work));
  if (!forgotten) co_await env.clock.SleepUntil(valid_until);  // then the kernel does not use it either
}

Task<void> Leases::Extend(TimePoint valid_until, TimePoint now, bool lapsed) {
  LeaseCache::KernelWork work = cache_.Extend(valid_until, now, lapsed);
  (void)co_await Forget(std::move(work));
}

Task<void> Leases::Changed(const proto::LeaseNote& note) {
  LeaseCache::KernelWork work = cache_.Changed(note);
  if (!work.empty()) (void)co_await Forget(std::move(work));
}

Task<void> Leases::Unsure(TimePoint until) {
  LeaseCache::KernelWork work = cache_.ForgetKnown(until);
  (void)co_await Forget(std::move(work));
}

Task<bool> Leases::Forget(LeaseCache::KernelWork work) {
  if (work.empty()) co_return true;
  co_return co_await kernel_.DropAttributes(std::move(work));
}

}  // namespace gabion
