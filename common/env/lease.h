#pragma once

#include "common/env/clock.h"

namespace gabion {

/// Until when a lease (of a server, or of a client's session) may be believed in by its holder, if it was last renewed
/// by a request sent at `sent_at` (DESIGN 4.4, 5.2). Pure.
///
/// The metaserver counts the same time from when the request arrived, which is later. A twentieth is left out all the
/// same, for clocks that run at different speeds.
constexpr TimePoint LeaseEnd(TimePoint sent_at, Duration lease) {
  return sent_at + (lease - lease / 20);
}

}  // namespace gabion
