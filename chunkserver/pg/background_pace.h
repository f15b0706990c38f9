#pragma once

#include <algorithm>

#include "chunkserver/replication/admission.h"
#include "common/env/clock.h"

namespace gabion {

/// How upkeep keeps out of the clients' way: where any called during a piece of work, it is followed by three times as
/// long a rest, so that clients keep most of the server. One object a piece of work, made when that begins.
class BackgroundPace {
 public:
  BackgroundPace(const Admission& admission, Clock& clock)
      : admission_(admission), clock_(clock), began_(clock.Now()), calls_(admission.client_calls()) {}

  Duration worked() const { return clock_.Now() - began_; }
  /// Now that the work is done.
  Duration Rest() const {
    if (admission_.client_calls() == calls_) return Duration(0);
    return std::min<Duration>(worked() * kRestFactor, kLongestRest);
  }

 private:
  static constexpr int kRestFactor = 3;
  static constexpr Duration kLongestRest = std::chrono::seconds(10);

  const Admission& admission_;
  Clock& clock_;
  const TimePoint began_;
  const std::uint64_t calls_;
};

}  // namespace gabion
