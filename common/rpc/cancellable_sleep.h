#pragma once

#include <asio/cancellation_signal.hpp>

#include "common/env/env.h"

namespace gabion {

/// A sleep that other code of the same loop can end. Outlives its sleeper.
class CancellableSleep {
 public:
  /// Returns at `deadline`, or when cancelled. One at a time. A Cancel() before it makes it return at once; either way
  /// it uses the cancellation up.
  Task<void> Until(Env& env, TimePoint deadline);

  void Cancel();

  /// Whether the last sleep was cancelled.
  bool cancelled() const { return was_cancelled_; }

 private:
  asio::cancellation_signal signal_;
  bool cancel_ = false;
  bool was_cancelled_ = false;
};

}  // namespace gabion
