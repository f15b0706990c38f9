#pragma once

#include "common/env/clock.h"

namespace gabion {

/// Sleeps, at most this long; false once SIGINT or SIGTERM has come since the first call. The second such signal ends
/// the program, as it does before the first call.
bool SleepUnlessInterrupted(Duration duration);

}  // namespace gabion
