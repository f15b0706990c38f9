#include "common/env/sim/sim_buggify.h"

#include <string>

namespace gabion {

bool SimBuggify::Fires(std::string_view point) {
  if (!enabled_) return false;
  Count& count = counts_[point];
  ++count.reached;
  constexpr std::uint64_t kOnInOneOf = 4;      // runs
  constexpr std::uint64_t kFiresInOneOf = 10;  // so rarely that what takes many steps gets to its end
  const bool is_favoured = favoured_.contains(point);
  const bool is_on = is_favoured || SimRandom(DeriveSeed(seed_, "buggify " + std::string(point))).Chance(1, kOnInOneOf);
  if (suppressed_.contains(point)) return false;
  if (!is_on || !(is_favoured ? random_.Chance(3, 4) : random_.Chance(1, kFiresInOneOf))) return false;
  ++count.fired;
  return true;
}

}  // namespace gabion
