#include "fs-client/lease/leases.h"

#include <utility>

#include "common/env/mutate.h"

namespace gabion {

Task<void> Leases::End(Env& env) {
  const TimePoint valid_until = cache_.valid_until();
  LeaseCache::KernelWork work = cache_.End();
  bool forgotten = co_await Forget(env, std::move(work));
  if (!forgotten) co_await env.clock.SleepUntil(valid_until);  // then the kernel does not use it either
}

Task<void> Leases::Extend(Env& env, TimePoint valid_until, bool lapsed) {
  LeaseCache::KernelWork work = cache_.Extend(valid_until, env.clock.Now(), lapsed);
  (void)co_await Forget(env, std::move(work));
}

Task<void> Leases::Changed(Env& env, const proto::LeaseNote& note) {
  LeaseCache::KernelWork work = cache_.Changed(note, env.clock.Now());
  if (!work.empty()) (void)co_await Forget(env, std::move(work));
}

Task<void> Leases::Unsure(Env& env, TimePoint until) {
  LeaseCache::KernelWork work = cache_.ForgetKnown(until);
  (void)co_await Forget(env, std::move(work));
}

Task<bool> Leases::Forget(Env& env, LeaseCache::KernelWork work) {
  const bool wait = env.clock.Now() < work.entries_until && !Mutated("lease.return_told_entries");
  if (wait) co_await env.clock.SleepUntil(work.entries_until);
  if (work.attributes.empty()) co_return true;
  co_return co_await kernel_.DropAttributes(std::move(work.attributes));
}

}  // namespace gabion
