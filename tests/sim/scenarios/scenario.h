#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/posix_calls.h"
#include "tests/sim/sim_cluster.h"

namespace gabion {

/// EXPECT_TRUE(IsOk(result)) says which error it was.
template <typename T>
testing::AssertionResult IsOk(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().ToString();
}

template <typename T>
std::string NameOf(const Result<T>& result) {
  return std::string(ToString(result ? ErrorCode::kOk : result.error().code()));
}

/// `size` bytes that differ from block to block, and for every `tag`.
inline std::string Pattern(std::size_t size, std::uint64_t tag) {
  SimRandom random(tag);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 64 == 0) bytes[i] = static_cast<char>(random.Below(256));
    if (i % 64 != 0) bytes[i] = static_cast<char>('a' + (i + tag) % 23);
  }
  return bytes;
}

}  // namespace gabion
