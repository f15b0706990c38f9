#pragma once

#include <algorithm>
#include <chrono>

#include "common/env/clock.h"
#include "common/env/random.h"

namespace gabion {

/// How long to wait before the next attempt at something that failed: doubles from `first` to `longest`, drawn from the
/// upper half of that, so that those who failed together do not come back together.
class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

  Duration Next(Random& random) {
    Duration whole = std::min(next_, longest_);
    next_ = whole * 2;
    auto half = static_cast<std::uint64_t>(whole.count() / 2);
    return Duration(static_cast<std::int64_t>(half + random.Below(half + 1)));
  }

  void Reset() { next_ = first_; }

 private:
  Duration first_;
  Duration longest_;
  Duration next_;
};

}  // namespace gabion
