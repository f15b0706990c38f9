#include "common/env/sim/sim_random.h"

#include <bit>

namespace gabion {
namespace {

std::uint64_t SplitMix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

SimRandom::SimRandom(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = SplitMix(seed);
}

std::uint64_t SimRandom::Next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t SimRandom::Exponential(std::uint64_t mean) {
  // Halvings instead of a logarithm: the maths library's last bit may differ between machines, and with it the whole
  // run. A value in [k, k + 1) halvings is as likely as k heads in a row; within, the curve is taken as straight.
  constexpr std::uint64_t kMaxHalvings = 23;  // 23 * ln 2 is about 16
  const auto halvings = static_cast<std::uint64_t>(std::countr_zero(Next() | (std::uint64_t{1} << kMaxHalvings)));
  constexpr std::uint64_t kLn2PerMillion = 693147;
  const std::uint64_t parts_per_million = halvings * kLn2PerMillion + Below(kLn2PerMillion);
  __extension__ using Uint128 = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Uint128>(mean) * parts_per_million / 1'000'000);
}

std::uint64_t DeriveSeed(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::uint64_t state = seed ^ hash;
  return SplitMix(state);
}

}  // namespace gabion
