#pragma once

#include "common/env/clock.h"
#include "common/env/sim/sim_scheduler.h"

namespace gabion {

/// A machine's view of the world's time: its own origin, rate and wall time. Outlived by the scheduler.
class SimClock final : public Clock {
 public:
  SimClock(SimScheduler& scheduler, TimePoint origin)
      : scheduler_(scheduler), base_world_(scheduler.Now()), base_(origin) {}

  TimePoint Now() const override;
  std::int64_t WallNowNs() const override;
  Task<void> SleepUntil(TimePoint deadline) override;

  /// Runs faster (or slower, negative) by so many parts in a million from now on. |ppm| < 1,000,000.
  void SetDrift(std::int64_t ppm);
  void SetWallOffset(Duration offset) { wall_offset_ = offset; }

 private:
  SimScheduler& scheduler_;
  TimePoint base_world_;
  TimePoint base_;
  std::int64_t drift_ppm_ = 0;
  Duration wall_offset_{0};
};

}  // namespace gabion
