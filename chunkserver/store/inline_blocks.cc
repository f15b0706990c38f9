#include "chunkserver/store/inline_blocks.h"

#include "chunkserver/store/record_codec.h"
#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr std::uint8_t kInlineBlocksVersion = 1;

}  // namespace

std::string EncodeInlineBlock(const InlineBlock& block) {
  RecordWriter writer;
  writer.Reserve(9 + block.data.size());
  writer.U8(kInlineBlocksVersion);
  writer.U64(block.checksum);
  writer.Bytes({reinterpret_cast<const char*>(block.data.data()), block.data.size()});
  return std::move(writer).Take();
}

Result<InlineBlock> DecodeInlineBlock(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kInlineBlocksVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "inline block of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  InlineBlock block;
  block.checksum = reader.U64();
  if (!reader.ok()) return Error(ErrorCode::kCorrupt, "inline block: too short");
  if (reader.AtEnd()) {
    if (block.checksum != ZeroBlockChecksum())
      return Error(ErrorCode::kCorrupt, "inline block: zeros with another checksum");
    return block;
  }
  std::string_view bytes = reader.Bytes(kBlockBytes);
  if (!reader.AtEnd()) return Error(ErrorCode::kCorrupt, "inline block: wrong length");
  block.data = Slice::CopyOf(bytes);
  if (ChecksumOf(block.data.span()) != block.checksum)
    return Error(ErrorCode::kCorrupt, "inline block: wrong checksum");
  return block;
}

void InlineBlocks::Put(const InlineWrite& write) {
  InlineBlock& block = blocks_[write.key];
  block = write.block;
  block.number = ++last_number_;
}

std::vector<InlineWrite> InlineBlocks::Find(ChunkId chunk, std::uint16_t first, std::uint16_t last) const {
  std::vector<InlineWrite> found;
  for (auto at = blocks_.lower_bound({chunk, first}); at != blocks_.end(); ++at) {
    if (at->first.chunk != chunk || at->first.block > last) break;
    found.push_back({at->first, at->second});
  }
  return found;
}

const InlineBlock* InlineBlocks::Find(BlockKey key) const {
  auto found = blocks_.find(key);
  return found == blocks_.end() ? nullptr : &found->second;
}

std::vector<InlineWrite> InlineBlocks::Next(BlockKey from, std::size_t count) const {
  std::vector<InlineWrite> next;
  for (auto at = blocks_.lower_bound(from); at != blocks_.end() && next.size() < count; ++at) {
    next.push_back({at->first, at->second});
  }
  return next;
}

}  // namespace gabion
