#pragma once

#include <algorithm>

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

}  // namespace gabion
