#include "tests/unit/chunkserver/store/index_checker.h"

#include <fmt/format.h>

#include <array>

#include "chunkserver/store/block_allocator.h"
#include "chunkserver/store/chunk_record.h"
#include "chunkserver/store/index_key.h"
#include "chunkserver/store/inline_blocks.h"
#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/page_record.h"
#include "chunkserver/store/record_codec.h"
#include "chunkserver/store/shared_blocks.h"
#include "chunkserver/store/tombstone.h"

namespace gabion {
namespace {

/// Calls `visit(key, value)` for a table of the index.
template <typename Visit>
void ForTable(const std::map<std::string, std::string>& entries, char table, Visit visit) {
  std::string first(1, table);
  for (auto entry = entries.lower_bound(first); entry != entries.end() && entry->first[0] == table; ++entry) {
    visit(entry->first, entry->second);
  }
}

}  // namespace

std::string IndexChecker::Check() {
  // As it is, even if the store would have to load it first.
  MemoryKvOptions& options = index_.contents().options();
  bool cold = std::exchange(options.cold, false);
  Result<void> scanned = index_.Scan("", "", [this](std::string_view key, std::string_view value) {
    entries_.emplace(key, value);
    return true;
  });
  options.cold = cold;
  if (!scanned) return scanned.error().ToString();
  for (const auto& [key, value] : entries_) {
    if (std::string("ACDGINPQRSUX").find(key[0]) == std::string::npos) Problem("a key of no table");
  }
  Result<Superblock> superblock = DecodeSuperblock(entries_[SuperblockKey()]);
  if (!superblock) return superblock.error().ToString();
  superblock_ = *superblock;
  CheckPages();
  CheckGroups();
  CountReferences();
  CheckBlocks();
  return problems_;
}

void IndexChecker::CheckPages() {
  std::map<ChunkId, std::uint32_t> lengths;
  ForTable(entries_, kChunkTable, [&](const std::string& key, const std::string& value) {
    Result<ChunkRecord> record = DecodeChunkRecord(value);
    if (!record) return Problem(record.error().ToString());
    lengths[*DecodeChunkRecordKey(key)] = record->length_bytes;
  });
  std::uint64_t count = 0;
  if (auto found = entries_.find(ChunkCountKey()); found != entries_.end()) count = RecordReader(found->second).U64();
  if (count != lengths.size()) Problem(fmt::format("{} chunks, but the count says {}", lengths.size(), count));
  ForTable(entries_, kPageTable, [&](const std::string& key, const std::string& value) {
    PageKey page = *DecodePageKey(key);
    Result<PageRecord> record = DecodePageRecord(value);
    if (!record) return Problem(record.error().ToString());
    if (record->all_holes()) Problem("a page of holes has a record");
    for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
      std::uint64_t begin = page.page * kPageBytes + i * kBlockBytes;
      if (!record->blocks[i].is_hole() && begin >= lengths[page.chunk]) {
        Problem(fmt::format("chunk {} has a block at {}, beyond its end", page.chunk.value(), begin));
      }
    }
  });
  ForTable(entries_, kInlineTable, [&](const std::string& key, const std::string& value) {
    BlockKey block = *DecodeBlockKey(key);
    if (Result<InlineBlock> decoded = DecodeInlineBlock(value); !decoded) Problem(decoded.error().ToString());
    if (block.block * kBlockBytes >= lengths[block.chunk]) Problem("an inline block lies beyond its chunk's end");
  });
}

void IndexChecker::CheckGroups() {
  std::map<ChunkId, ChunkRecord> chunks;
  ForTable(entries_, kChunkTable, [&](const std::string& key, const std::string& value) {
    if (Result<ChunkRecord> record = DecodeChunkRecord(value)) chunks[*DecodeChunkRecordKey(key)] = *record;
  });
  std::size_t listed = 0;
  ForTable(entries_, kGroupTable, [&](const std::string& key, const std::string& value) {
    if (Result<void> decoded = DecodeMark(value); !decoded) Problem(decoded.error().ToString());
    GroupKey group = *DecodeGroupEntryKey(key);
    auto found = chunks.find(group.chunk);
    if (found != chunks.end() && GroupKey{found->second.pg, found->second.last_write_epoch, group.chunk} == group) {
      ++listed;
    } else {
      Problem(fmt::format("chunk {} is listed for a group or an epoch that it is not of", group.chunk.value()));
    }
  });
  if (listed != chunks.size()) Problem(fmt::format("{} of {} chunks are listed by group", listed, chunks.size()));
  ForTable(entries_, kUnsettledTable, [&](const std::string& key, const std::string& value) {
    if (Result<void> decoded = DecodeMark(value); !decoded) Problem(decoded.error().ToString());
    GroupChunkKey unsettled = *DecodeUnsettledKey(key);
    auto found = chunks.find(unsettled.chunk);
    if (found == chunks.end() || found->second.pg != unsettled.pg) {
      Problem(fmt::format("chunk {} is unsettled and not of the group", unsettled.chunk.value()));
    }
  });
  ForTable(entries_, kTombstoneTable, [&](const std::string& key, const std::string& value) {
    if (Result<Tombstone> tombstone = DecodeTombstone(value); !tombstone) Problem(tombstone.error().ToString());
    ChunkId chunk = *DecodeTombstoneKey(key);
    if (chunks.contains(chunk)) Problem(fmt::format("chunk {} is there and has a tombstone", chunk.value()));
  });
}

void IndexChecker::CountReferences() {
  // (page, block of the page) -> its addresses now and before.
  std::map<PageKey, std::array<std::set<BlockAddress>, kBlocksPerPage>> places;
  auto add = [&](PageKey key, const std::string& value) {
    Result<PageRecord> record = DecodePageRecord(value);
    if (!record) return Problem(record.error().ToString());
    for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
      if (!record->blocks[i].is_hole()) places[key][i].insert(record->blocks[i].address);
    }
  };
  ForTable(entries_, kPageTable,
           [&](const std::string& key, const std::string& value) { add(*DecodePageKey(key), value); });
  ForTable(entries_, kPreviousTable,
           [&](const std::string& key, const std::string& value) { add(DecodePreviousKey(key)->page, value); });
  for (const auto& [key, blocks] : places) {
    for (const std::set<BlockAddress>& addresses : blocks) {
      for (BlockAddress address : addresses) ++references_[address];
    }
  }
}

void IndexChecker::CheckBlocks() {
  std::map<std::uint64_t, std::uint32_t> expected = references_;  // taken out when they are met
  std::uint64_t total = superblock_.slab_count * (superblock_.slab_bytes / kBlockBytes);
  ForTable(entries_, kSegmentTable, [&](const std::string& key, const std::string& value) {
    std::uint32_t segment = *DecodeSegmentKey(key);
    Result<SegmentRecord> record = DecodeSegmentRecord(value);
    if (!record) return Problem(record.error().ToString());
    auto table = entries_.find(RefcountKey(segment));
    if (record->has_shared != (table != entries_.end())) Problem("a segment's mark of shared blocks is wrong");
    SharedBlocks shared;
    if (table != entries_.end()) shared = SharedBlocks::Decode(table->second).value();
    for (std::uint32_t i = 0; i < kBlocksPerSegment; ++i) {
      BlockAddress address = std::uint64_t{segment} * kBlocksPerSegment + i;
      bool allocated = ((record->allocated[i / 64] >> (i % 64)) & 1) != 0;
      auto found = expected.find(address);
      std::uint32_t wanted = found == expected.end() ? 0 : found->second;
      std::uint32_t counted = allocated ? shared.references(static_cast<std::uint16_t>(i)) : 0;
      if (allocated && address >= total) Problem("a block beyond the slabs is allocated");
      if (counted != wanted) Problem(fmt::format("block {}: {} references, counted {}", address, wanted, counted));
      if (found != expected.end()) expected.erase(found);
    }
  });
  for (const auto& [address, count] : expected) Problem(fmt::format("block {} is in use and free", address));
}

}  // namespace gabion
