#pragma once

#include <optional>

#include "common/env/clock.h"
#include "common/env/real/unique_fd.h"

namespace gabion {

/// SIGTERM, SIGINT and SIGHUP as something to wait for, together with one event of the program's own. Blocks the
/// signals for this thread and those it starts later, so it comes before all other threads; SIGPIPE is ignored.
class Termination {
 public:
  enum class Cause { kSignal, kNotified, kTimeout };

  Termination();

  /// Any thread. Wait() returns kNotified from now on, before any signal.
  void Notify();

  /// Takes one signal, and logs it. `timeout`: none waits for ever.
  Cause Wait(std::optional<Duration> timeout);

 private:
  UniqueFd signals_;
  UniqueFd notified_;
};

}  // namespace gabion
