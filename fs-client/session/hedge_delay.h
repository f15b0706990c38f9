#pragma once

#include "common/env/clock.h"

namespace gabion {

/// How long a read waits for one copy before it asks another as well: twice what 19 of 20 recent reads took at most, so
/// that few are asked for twice and none waits long. The percentile is followed by steps instead of kept samples: up by
/// a fifth for a read that took longer, down by a hundredth for one that did not, which is in balance where one in
/// twenty takes longer. Pure; of one loop. Source: Dean and Barroso, "The Tail at Scale", 2013, "Hedged requests".
class HedgeDelay {
 public:
  static constexpr Duration kShortest = std::chrono::milliseconds(20);
  static constexpr Duration kLongest = std::chrono::seconds(1);

  /// A read was answered after `latency`.
  void Answered(Duration latency);
  Duration Get() const { return 2 * slow_; }

 private:
  Duration slow_ = std::chrono::milliseconds(50);  // what one in twenty takes longer than; within half of the limits
};

/// How many reads may be asked for twice: one in twenty, and a few at once after a quiet time. A cluster that is slow
/// because it is overloaded is not made slower. Pure; of one loop.
class HedgeBudget {
 public:
  static constexpr int kReadsPerHedge = 20;
  static constexpr int kBurst = 10;

  /// A read begins.
  void Earn();
  /// Whether there is one left; takes it.
  bool Spend();

 private:
  int reads_ = kBurst * kReadsPerHedge;  // not yet used up
};

}  // namespace gabion
