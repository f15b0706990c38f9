#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gabion {

/// A record of the chunk index that says all by being there: its key has the rest (docs/formats/chunk_index.md).
std::string EncodeMark();
/// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
Result<void> DecodeMark(std::string_view value);

}  // namespace gabion
