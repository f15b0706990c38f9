#pragma once

#include "common/env/clock.h"
#include "common/env/real/unique_fd.h"

namespace gabion {

/// Ctrl-C (SIGINT) as something to wait for. While it lives, the signal does not end the process. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Blocks this thread; true: the signal came, at any time since this was made or said so last.
  bool Wait(Duration timeout);

 private:
  UniqueFd pressed_;
};

}  // namespace gabion
