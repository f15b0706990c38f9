#include "chunkserver/store/shared_blocks.h"

#include "chunkserver/store/block_allocator.h"
#include "chunkserver/store/record_codec.h"

namespace gabion {
namespace {

constexpr std::uint8_t kSharedBlocksVersion = 1;

}  // namespace

std::uint32_t SharedBlocks::references(std::uint16_t block) const {
  auto found = counts_.find(block);
  return found == counts_.end() ? 1 : found->second;
}

bool SharedBlocks::Add(std::uint16_t block) {
  auto [entry, is_new] = counts_.try_emplace(block, 1);
  if (entry->second == kReferencesMax) return false;
  ++entry->second;
  return true;
}

bool SharedBlocks::Drop(std::uint16_t block) {
  auto found = counts_.find(block);
  if (found == counts_.end()) return true;
  if (--found->second == 1) counts_.erase(found);
  return false;
}

std::string SharedBlocks::Encode() const {
  RecordWriter runs;
  std::uint64_t run_count = 0;
  std::uint64_t next = 0;
  for (auto run = counts_.begin(); run != counts_.end();) {
    auto end = run;
    std::uint64_t length = 0;
    while (end != counts_.end() && end->second == run->second && end->first == run->first + length) {
      ++end;
      ++length;
    }
    runs.Varint(run->first - next);  // how many blocks are skipped
    runs.Varint(length);
    runs.Varint(run->second);
    ++run_count;
    next = run->first + length;
    run = end;
  }
  RecordWriter writer;
  writer.U8(kSharedBlocksVersion);
  writer.Varint(run_count);
  writer.Bytes(std::move(runs).Take());
  return std::move(writer).Take();
}

Result<SharedBlocks> SharedBlocks::Decode(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kSharedBlocksVersion) {
    return Error(ErrorCode::kVersionMismatch, "reference count record of version " + std::to_string(version) +
                                                  "; this program knows version 1 only");
  }
  SharedBlocks blocks;
  std::uint64_t next = 0;
  for (std::uint64_t run_count = reader.Varint(); reader.ok() && run_count > 0; --run_count) {
    std::uint64_t skipped = reader.Varint();
    std::uint64_t length = reader.Varint();
    std::uint64_t count = reader.Varint();
    if (!reader.ok() || skipped > kBlocksPerSegment || length == 0 || length > kBlocksPerSegment ||
        next + skipped + length > kBlocksPerSegment || count < 2 || count > kReferencesMax) {
      return Error(ErrorCode::kCorrupt, "reference count record: a run that cannot be");
    }
    next += skipped;
    for (; length > 0; --length) {
      blocks.counts_.emplace(static_cast<std::uint16_t>(next++), static_cast<std::uint32_t>(count));
    }
  }
  if (!reader.AtEnd()) return Error(ErrorCode::kCorrupt, "reference count record: wrong length");
  return blocks;
}

}  // namespace gabion
