#include "common/env/real/os_random.h"

#include <sys/random.h>

#include <bit>

#include "common/base/check.h"

namespace gabion {

OsRandom::OsRandom() {
  // Up to 256 bytes come whole and without EINTR once the kernel's pool is ready, which it is long before us.
  ssize_t got = ::getrandom(state_.data(), sizeof(state_), 0);
  CHECK(got == static_cast<ssize_t>(sizeof(state_)));
  state_[0] |= 1;  // all zeros is the one state it never leaves
}

std::uint64_t OsRandom::Next() {
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

}  // namespace gabion
