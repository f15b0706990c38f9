#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "common/base/ids.h"

namespace gabion {

inline std::vector<ChunkId> ChunkIds(std::initializer_list<std::uint64_t> ids) {
  return {ids.begin(), ids.end()};
}

}  // namespace gabion
