#include "chunkserver/store/page_record.h"

#include <algorithm>

#include "chunkserver/store/record_codec.h"

namespace gabion {
namespace {

constexpr std::uint8_t kPageRecordVersion = 1;

Error Corrupt(const char* what) {
  return {ErrorCode::kCorrupt, std::string("page record: ") + what};
}

}  // namespace

bool PageRecord::all_holes() const {
  return std::all_of(blocks.begin(), blocks.end(), [](const BlockEntry& block) { return block.is_hole(); });
}

std::string EncodePageRecord(const PageRecord& record) {
  std::uint16_t present = 0;
  std::vector<BlockRun> runs;
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    if (record.blocks[i].is_hole()) continue;
    present = static_cast<std::uint16_t>(present | (1u << i));
    AppendBlock(runs, record.blocks[i].address);
  }
  RecordWriter writer;
  writer.Reserve(16 + kBlocksPerPage * 8);
  writer.U8(kPageRecordVersion);
  writer.U16(present);
  for (const BlockRun& run : runs) {
    writer.U8(static_cast<std::uint8_t>(run.count));
    writer.Varint(run.first);
  }
  for (const BlockEntry& block : record.blocks) {
    if (!block.is_hole()) writer.U64(block.checksum);
  }
  return std::move(writer).Take();
}

Result<PageRecord> DecodePageRecord(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kPageRecordVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "page record of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  std::uint16_t present = reader.U16();
  PageRecord record;
  BlockRun run;
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    if ((present & (1u << i)) == 0) continue;
    if (run.count == 0) {
      run.count = reader.U8();
      run.first = reader.Varint();
      if (!reader.ok()) return Corrupt("too short");
      if (run.count == 0 || run.first >= kHole - kBlocksPerPage) return Corrupt("a run that cannot be");
    }
    record.blocks[i].address = run.first++;
    --run.count;
  }
  if (run.count != 0) return Corrupt("runs longer than the page");
  for (BlockEntry& block : record.blocks) {
    if (!block.is_hole()) block.checksum = reader.U64();
  }
  if (!reader.AtEnd()) return Corrupt("wrong length");
  return record;
}

}  // namespace gabion
