#include "common/env/sim/sim_clock.h"

#include "common/base/check.h"

namespace gabion {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kWorldBeginsNs = 1'700'000'000'000'000'000;  // 2023-11-14, as good as any

// value * numerator / denominator, rounded up, without overflow in between.
std::int64_t Scale(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  __extension__ using Int128 = __int128;
  const Int128 product = static_cast<Int128>(value) * numerator;
  return static_cast<std::int64_t>((product + denominator - 1) / denominator);
}

}  // namespace

TimePoint SimClock::Now() const {
  const Duration passed = scheduler_.Now() - base_world_;
  return base_ + Duration(Scale(passed.count(), kMillion + drift_ppm_, kMillion));
}

std::int64_t SimClock::WallNowNs() const {
  return kWorldBeginsNs + scheduler_.Now().ns + wall_offset_.count();
}

Task<void> SimClock::SleepUntil(TimePoint deadline) {
  asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  // More than once only if the drift changes meanwhile.
  while (Now() < deadline && cancellation.cancelled() == asio::cancellation_type::none) {
    const Duration left(Scale((deadline - Now()).count(), kMillion, kMillion + drift_ppm_));
    co_await scheduler_.SleepFor(left);
  }
}

void SimClock::SetDrift(std::int64_t ppm) {
  CHECK(ppm > -kMillion && ppm < kMillion);
  base_ = Now();
  base_world_ = scheduler_.Now();
  drift_ppm_ = ppm;
}

}  // namespace gabion
