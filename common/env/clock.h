#pragma once

#include <chrono>
#include <cstdint>

#include "common/coro/task.h"

namespace gabion {

using Duration = std::chrono::nanoseconds;

/// A point of a machine's monotonic clock; two machines' have nothing in common. Leases and deadlines use it.
struct TimePoint {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;
  friend constexpr TimePoint operator+(TimePoint point, Duration duration) { return {point.ns + duration.count()}; }
  friend constexpr TimePoint operator-(TimePoint point, Duration duration) { return {point.ns - duration.count()}; }
  friend constexpr Duration operator-(TimePoint a, TimePoint b) { return Duration(a.ns - b.ns); }
};

/// The only source of time outside common/env (DESIGN 10). Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Monotonic.
  virtual TimePoint Now() const = 0;
  /// Nanoseconds since 1970: for timestamps of files and logs, never for leases.
  virtual std::int64_t WallNowNs() const = 0;
  /// Resumes on the caller's executor, not before `deadline`; at once if that has passed. Honours Asio's cancellation
  /// by returning early.
  virtual Task<void> SleepUntil(TimePoint deadline) = 0;

  Task<void> SleepFor(Duration duration) { return SleepUntil(Now() + duration); }
};

}  // namespace gabion
