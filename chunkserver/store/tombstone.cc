#include "chunkserver/store/tombstone.h"

#include "chunkserver/store/record_codec.h"

namespace gabion {
namespace {

constexpr std::uint8_t kTombstoneVersion = 1;

}  // namespace

std::string EncodeTombstone(const Tombstone& tombstone) {
  RecordWriter writer;
  writer.U8(kTombstoneVersion);
  writer.U64(static_cast<std::uint64_t>(tombstone.removed_ns));
  return std::move(writer).Take();
}

Result<Tombstone> DecodeTombstone(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kTombstoneVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "tombstone of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  Tombstone tombstone;
  tombstone.removed_ns = static_cast<std::int64_t>(reader.U64());
  if (!reader.AtEnd()) return Error(ErrorCode::kCorrupt, "tombstone: wrong length");
  return tombstone;
}

}  // namespace gabion
