#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>

#include "common/env/buggify.h"
#include "common/env/sim/sim_random.h"

namespace gabion {

/// Rare paths by the seed: each point is on in a quarter of the worlds, so that odd combinations occur, and fires there
/// a quarter of the time.
class SimBuggify final : public Buggify {
 public:
  struct Count {
    std::uint64_t reached = 0;
    std::uint64_t fired = 0;
  };
  using Counts = std::map<std::string_view, Count>;

  explicit SimBuggify(std::uint64_t seed) : seed_(seed), random_(DeriveSeed(seed, "buggify")) {}

  /// Until then nothing fires: a test that names its faults wants no others.
  void Enable() { enabled_ = true; }
  /// This one is on, whatever the seed, and fires three times in four: the faults of the run are made for it.
  void Favour(std::string_view point) { favoured_.insert(point); }
  /// This one is off, whatever the seed: with the faults of the run it would be too much.
  void Suppress(std::string_view point) { suppressed_.insert(point); }
  bool Fires(std::string_view point) override;
  /// Of the points that were reached since Enable().
  const Counts& counts() const { return counts_; }

 private:
  const std::uint64_t seed_;
  SimRandom random_;
  bool enabled_ = false;
  std::set<std::string_view> favoured_;
  std::set<std::string_view> suppressed_;
  Counts counts_;
};

}  // namespace gabion
