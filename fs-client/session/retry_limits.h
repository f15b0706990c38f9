#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/rpc/backoff.h"

namespace gabion {

/// The pauses between tries of one call, which goes on until it is answered: failure is a pause, not an error (DESIGN
/// 1).
inline Backoff MakeRetryBackoff() {
  return {std::chrono::milliseconds(50), std::chrono::seconds(1)};
}

/// How long one try may take: short at first, for the peer may be gone and another in its place; longer when it is
/// slow.
class AttemptLimit {
 public:
  static constexpr Duration kFirst = std::chrono::seconds(5);
  static constexpr Duration kLongest = std::chrono::seconds(30);

  TimePoint Next(TimePoint now) {
    Duration allowed = next_;
    next_ = std::min(next_ * 2, kLongest);
    return now + allowed;
  }

 private:
  Duration next_ = kFirst;
};

/// When a call is given up: on a hard mount never, on a soft one after the time that its option says.
class Patience {
 public:
  /// `soft` 0: hard.
  Patience(Duration soft, TimePoint now)
      : soft_(soft), end_(soft == Duration(0) ? TimePoint{std::numeric_limits<std::int64_t>::max()} : now + soft) {}
  static Patience Endless() { return {Duration(0), TimePoint()}; }

  bool IsOver(TimePoint now) const { return now >= end_; }
  TimePoint Limit(TimePoint deadline) const { return std::min(deadline, end_); }
  /// What the caller is told: EIO.
  Error GaveUp(const Error& last) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(soft_).count();
    return {ErrorCode::kIo,
            "given up after " + std::to_string(seconds) + " s, as the mount option 'soft' has it: " + last.ToString()};
  }

 private:
  Duration soft_;
  TimePoint end_;
};

}  // namespace gabion
