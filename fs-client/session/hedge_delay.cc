#include "fs-client/session/hedge_delay.h"

#include <algorithm>

namespace gabion {

void HedgeDelay::Answered(Duration latency) {
  const Duration next = latency > slow_ ? slow_ + slow_ / 5 : slow_ - slow_ / 100;
  slow_ = std::clamp(next, kShortest / 2, kLongest / 2);
}

void HedgeBudget::Earn() {
  reads_ = std::min(reads_ + 1, kBurst * kReadsPerHedge);
}

bool HedgeBudget::Spend() {
  if (reads_ < kReadsPerHedge) return false;
  reads_ -= kReadsPerHedge;
  return true;
}

}  // namespace gabion
