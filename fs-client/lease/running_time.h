#pragma once

#include <algorithm>

#include "common/env/clock.h"

namespace gabion {

/// A monotonic clock that stands still while this machine does (a paused virtual machine, a host that is out of CPU):
/// for times that the kernel needs to do something in. It is told of the time every kTick; whoever was not for more
/// than kStandstill was not running.
class RunningTime {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(40);
  static constexpr Duration kStandstill = std::chrono::milliseconds(90);

  /// `now`: of the monotonic clock.
  TimePoint At(TimePoint now) {
    const Duration passed = now - last_;
    if (last_ != TimePoint() && passed > kStandstill) stood_still_ += passed;
    last_ = std::max(last_, now);
    return now - stood_still_;
  }

 private:
  TimePoint last_;
  Duration stood_still_{0};
};

}  // namespace gabion
