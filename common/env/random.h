#pragma once

#include <cstdint>

namespace gabion {

/// The only source of chance outside common/env. One event loop uses it. Not for secrets.
class Random {
 public:
  virtual ~Random() = default;

  /// 64 uniform bits.
  virtual std::uint64_t Next() = 0;

  /// Uniform in [0, bound); bound > 0. Ours, for std's distributions differ between libraries.
  std::uint64_t Below(std::uint64_t bound) {
    // Lemire's multiply-shift; the bias is below 2^-64 * bound.
    __extension__ using Uint128 = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Uint128>(Next()) * bound) >> 64);
  }
  /// True with probability numerator / denominator.
  bool Chance(std::uint64_t numerator, std::uint64_t denominator) { return Below(denominator) < numerator; }
};

}  // namespace gabion
