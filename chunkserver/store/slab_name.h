#pragma once

#include <fmt/core.h>

#include <string>

namespace gabion {

/// The file of the store's `index`-th slab (docs/formats/slab.md).
inline std::string SlabName(std::size_t index) {
  return fmt::format("slab-{:06}", index);
}

}  // namespace gabion
