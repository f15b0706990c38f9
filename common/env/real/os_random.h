#pragma once

#include <array>

#include "common/env/random.h"

namespace gabion {

/// xoshiro256** (Blackman and Vigna 2018), seeded by the kernel.
class OsRandom final : public Random {
 public:
  OsRandom();
  std::uint64_t Next() override;

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace gabion
