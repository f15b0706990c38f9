#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "common/base/ids.h"

namespace gabion {

/// Numbers the ops of one session and knows which replies have arrived, so that every request can tell the server what
/// it need not remember for replays any more (DESIGN 4.3). Any thread.
class OpTracker {
 public:
  /// The next op's number, from 1 up. Each is ended once.
  OpSeq Begin();
  /// The reply to `seq` is here, or nobody waits for it any more.
  void End(OpSeq seq);
  /// All ops below it have ended.
  OpSeq acked_below() const;

 private:
  mutable std::mutex mutex_;
  std::uint64_t low_ = 1;
  std::deque<bool> ended_;  // of low_, low_ + 1, ... up to the newest
};

}  // namespace gabion
