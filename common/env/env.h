#pragma once

#include "common/coro/task.h"
#include "common/env/buggify.h"
#include "common/env/clock.h"
#include "common/env/random.h"
#include "common/env/transport.h"

namespace gabion {

/// What one event loop gives to the code on it (DESIGN 10): a production loop binds it to Asio and the kernel
/// (common/env/real), a simulated machine to the seeded scheduler (common/env/sim). Outlives everything that uses it.
struct Env {
  Executor executor;
  Clock& clock;
  Transport& transport;
  Random& random;
  unsigned loop_index = 0;     // of this process's loops
  int cpu = -1;                // that the loop is pinned to; -1: none
  Buggify* buggify = nullptr;  // null in production

  bool Buggified(std::string_view point) const { return buggify != nullptr && buggify->Fires(point); }
};

}  // namespace gabion
