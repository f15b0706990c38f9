#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/env/random.h"

namespace gabion {

/// A stream of chance that depends on its seed alone. Source: xoshiro256**, Blackman and Vigna 2018, seeded by
/// splitmix64.
class SimRandom final : public Random {
 public:
  explicit SimRandom(std::uint64_t seed);

  std::uint64_t Next() override;

  /// Exponentially distributed around `mean`, cut off at sixteen times that.
  std::uint64_t Exponential(std::uint64_t mean);

 private:
  std::array<std::uint64_t, 4> state_;
};

/// A seed for what is called `name` in the world of `seed`: streams of different names have nothing to do with each
/// other.
std::uint64_t DeriveSeed(std::uint64_t seed, std::string_view name);

}  // namespace gabion
