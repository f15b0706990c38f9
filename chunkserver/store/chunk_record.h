#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace gabion {

/// What a store knows of a chunk beside its pages: a value of the chunk index (docs/formats/chunk_index.md).
struct ChunkRecord {
  PgId pg;
  Epoch last_write_epoch;
  std::uint32_t length_bytes = 0;     // end of the last byte ever written; no page lies beyond
  std::uint64_t trim_generation = 0;  // highest one seen

  friend bool operator==(const ChunkRecord&, const ChunkRecord&) = default;
};

std::string EncodeChunkRecord(const ChunkRecord& record);
/// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
Result<ChunkRecord> DecodeChunkRecord(std::string_view value);

}  // namespace gabion
