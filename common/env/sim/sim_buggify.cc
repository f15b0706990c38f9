#include "common/env/sim/sim_buggify.h"

#include <string>

namespace gabion {

bool SimBuggify::Fires(std::string_view point) {
  if (!enabled_) return false;
  Count& count = counts_[point];
  ++count.reached;
  constexpr std::uint64_t kOneIn = 4;
  const bool is_on = SimRandom(DeriveSeed(seed_, "buggify " + std::string(point))).Chance(1, kOneIn);
  if (!is_on || !random_.Chance(1, kOneIn)) return false;
  ++count.fired;
  return true;
}

}  // namespace gabion
