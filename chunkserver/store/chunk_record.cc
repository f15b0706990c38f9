#include "chunkserver/store/chunk_record.h"

#include "chunkserver/store/record_codec.h"
#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr std::uint8_t kChunkRecordVersion = 1;

}  // namespace

std::string EncodeChunkRecord(const ChunkRecord& record) {
  RecordWriter writer;
  writer.U8(kChunkRecordVersion);
  writer.U32(record.pg.value());
  writer.U32(record.last_write_epoch.value());
  writer.U32(record.length_bytes);
  writer.U64(record.trim_generation);
  return std::move(writer).Take();
}

Result<ChunkRecord> DecodeChunkRecord(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kChunkRecordVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "chunk record of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  ChunkRecord record;
  record.pg = PgId(reader.U32());
  record.last_write_epoch = Epoch(reader.U32());
  record.length_bytes = reader.U32();
  record.trim_generation = reader.U64();
  if (!reader.AtEnd() || record.length_bytes > kChunkBytes) {
    return Error(ErrorCode::kCorrupt, "chunk record: wrong length or a size that cannot be");
  }
  return record;
}

}  // namespace gabion
