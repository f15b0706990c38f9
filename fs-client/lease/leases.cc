#include "fs-client/lease/leases.h"

#include <utility>

#include "common/env/mutate.h"

namespace gabion {

namespace {

/// Whoever waits for it may have been killed, which ends a sleep.
Task<void> SleepUntilSurely(Env& env, TimePoint until) {
  while (env.clock.Now() < until) co_await env.clock.SleepUntil(until);
}

}  // namespace

Task<void> Leases::AwaitKernel(Env& env, TimePoint until) {
  for (;;) {
    const TimePoint now = env.clock.Now();
    const Duration left = until - cache_.Running(now);
    if (left <= Duration(0)) co_return;
    co_await SleepUntilSurely(env, now + left);
  }
}

Task<void> Leases::End(Env& env) {
  const TimePoint valid_until = cache_.valid_until();
  LeaseCache::KernelWork work = cache_.End();
  co_await AwaitKernel(env, work.wait_until);
  // Behind what recalls have under way, even if there is nothing to be forgotten.
  bool forgotten = co_await kernel_.DropAttributes(work.attributes);
  if (!forgotten) co_await SleepUntilSurely(env, valid_until);  // then the kernel does not use it either
  cache_.Forgotten(work);
}

Task<void> Leases::Extend(Env& env, TimePoint valid_until, bool lapsed, bool reads_overdue) {
  LeaseCache::KernelWork work = cache_.Extend(valid_until, env.clock.Now(), lapsed, reads_overdue);
  (void)co_await Forget(env, std::move(work));
}

Task<void> Leases::Changed(Env& env, const proto::LeaseNote& note) {
  LeaseCache::KernelWork work = cache_.Changed(note, env.clock.Now());
  (void)co_await Forget(env, std::move(work));
}

Task<void> Leases::Unsure(Env& env, TimePoint until) {
  LeaseCache::KernelWork work = cache_.ForgetKnown(until);
  (void)co_await Forget(env, std::move(work));
}

Task<void> Leases::Moved(Env& env, Ino from, Ino to) {
  if (from == to) co_return;
  co_await AwaitKernel(env, cache_.Moved(from, to, env.clock.Now()));
}

Task<bool> Leases::Forget(Env& env, LeaseCache::KernelWork work) {
  if (!Mutated("lease.return_told_entries")) co_await AwaitKernel(env, work.wait_until);
  if (work.attributes.empty()) co_return true;
  const bool forgotten = co_await kernel_.DropAttributes(work.attributes);
  if (forgotten) cache_.Forgotten(work);
  co_return forgotten;
}

}  // namespace gabion
