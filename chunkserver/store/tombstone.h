#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gabion {

/// What is left of a removed chunk for a while, so that a late write does not bring it back: a value of the chunk index
/// (docs/formats/chunk_index.md).
struct Tombstone {
  std::int64_t removed_ns = 0;  // wall time

  friend bool operator==(const Tombstone&, const Tombstone&) = default;
};

std::string EncodeTombstone(const Tombstone& tombstone);
/// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
Result<Tombstone> DecodeTombstone(std::string_view value);

}  // namespace gabion
