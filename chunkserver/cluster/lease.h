#pragma once

#include "common/env/clock.h"

namespace gabion {

/// When this server stops serving, if its lease was last renewed by a request sent at `sent_at` (DESIGN 5.2). Pure.
///
/// The metaserver counts the same time from when the request arrived, which is later. A twentieth is left out all the
/// same, for clocks that run at different speeds.
constexpr TimePoint LeaseEnd(TimePoint sent_at, Duration lease) {
  return sent_at + (lease - lease / 20);
}

}  // namespace gabion
