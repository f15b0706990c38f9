#pragma once

#include "common/env/clock.h"

namespace gabion {

/// Decides whether an event loop without work looks on for a while or sleeps at once (DESIGN 11). Pure: told the time.
///
/// Spinning pays where work comes back sooner than a sleeping CPU wakes. So a loop spins for up to `limit` after work,
/// but only while that has lately been worth it: a spin in vain takes from the credit, a sleep that was over within
/// `limit` (which a spin would have bridged) gives some back. A loop with steady pauses therefore stops spinning, an
/// idle one never spins.
class SpinControl {
 public:
  explicit SpinControl(Duration limit) : limit_(limit) {}

  /// Whether to go on looking at `now`, nothing having been found.
  bool Spinning(TimePoint now) {
    if (!spinning_) return false;
    if (credit_ > 0 && now - last_work_ < limit_) return true;
    if (credit_ > 0) --credit_;
    spinning_ = false;
    return false;
  }

  void FoundWork(TimePoint now) {
    if (limit_ <= Duration(0)) return;
    last_work_ = now;
    spinning_ = true;
  }

  /// A sleep that work ended.
  void Slept(TimePoint from, TimePoint to) {
    if (limit_ <= Duration(0)) return;
    if (to - from < limit_ && credit_ < kMaxCredit) ++credit_;
    FoundWork(to);
  }

 private:
  static constexpr int kMaxCredit = 8;

  Duration limit_;
  TimePoint last_work_;
  bool spinning_ = false;
  int credit_ = kMaxCredit;
};

}  // namespace gabion
