#pragma once

#include "common/env/clock.h"

namespace gabion {

/// The kernel's CLOCK_MONOTONIC and CLOCK_REALTIME; sleeps are timers of the caller's event loop.
class AsioClock final : public Clock {
 public:
  TimePoint Now() const override;
  std::int64_t WallNowNs() const override;
  Task<void> SleepUntil(TimePoint deadline) override;
};

}  // namespace gabion
