#include "chunkserver/store/mark_record.h"

#include "chunkserver/store/record_codec.h"

namespace gabion {
namespace {

constexpr std::uint8_t kMarkRecordVersion = 1;

}  // namespace

std::string EncodeMark() {
  return std::string(1, static_cast<char>(kMarkRecordVersion));
}

Result<void> DecodeMark(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kMarkRecordVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "mark of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  if (!reader.AtEnd()) return Error(ErrorCode::kCorrupt, "mark: wrong length");
  return {};
}

}  // namespace gabion
