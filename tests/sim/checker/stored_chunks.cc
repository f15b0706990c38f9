#include "tests/sim/checker/stored_chunks.h"

#include <fmt/format.h>

#include "chunkserver/store/index_key.h"
#include "chunkserver/store/inline_blocks.h"
#include "chunkserver/store/page_record.h"
#include "chunkserver/store/slab_name.h"
#include "chunkserver/store/superblock.h"
#include "common/base/byte_units.h"

namespace gabion {
namespace {

class Reader {
 public:
  Reader(SimCluster& cluster, const std::string& server, StoredChunks& found)
      : platter_(cluster.platter(server)), entries_(cluster.store(server).Entries()), server_(server), found_(found) {
    const auto superblock = entries_.find(SuperblockKey());
    if (superblock == entries_.end()) return;
    if (auto decoded = Check(DecodeSuperblock(superblock->second))) slab_bytes_ = decoded->slab_bytes;
  }

  void Run() {
    // In this order: what is inline covers what the page says.
    for (const auto& [key, value] : entries_) {
      if (key[0] == kChunkTable) ReadChunk(*DecodeChunkRecordKey(key), value);
    }
    for (const auto& [key, value] : entries_) {
      if (key[0] == kPageTable) ReadPage(*DecodePageKey(key), value);
    }
    for (const auto& [key, value] : entries_) {
      if (key[0] == kInlineTable) ReadInline(*DecodeBlockKey(key), value);
    }
  }

 private:
  template <typename T>
  std::optional<T> Check(Result<T> decoded) {
    if (decoded) return std::move(*decoded);
    Problem(decoded.error().ToString());
    return std::nullopt;
  }
  void Problem(const std::string& what) { found_.problems += fmt::format("{}: {}\n", server_, what); }

  void ReadChunk(ChunkId chunk, const std::string& value) {
    if (auto record = Check(DecodeChunkRecord(value))) found_.chunks[chunk].record = *record;
  }

  void ReadPage(PageKey key, const std::string& value) {
    const auto record = Check(DecodePageRecord(value));
    if (!record) return;
    for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
      const BlockEntry& entry = record->blocks[i];
      if (entry.is_hole()) continue;
      const auto block = static_cast<std::uint16_t>(key.page * kBlocksPerPage + i);
      found_.chunks[key.chunk].blocks[block] = entry.checksum;
      CheckBytes(key.chunk, block, entry);
    }
  }

  void CheckBytes(ChunkId chunk, std::uint16_t block, const BlockEntry& entry) {
    const std::uint64_t blocks_per_slab = slab_bytes_ / kBlockBytes;
    const std::string bytes = platter_.Contents(SlabName(entry.address / blocks_per_slab),
                                                entry.address % blocks_per_slab * kBlockBytes, kBlockBytes);
    if (ChecksumOf(std::as_bytes(std::span(bytes))) == entry.checksum) return;
    Problem(fmt::format("chunk {} block {}: the bytes do not fit the checksum", chunk.value(), block));
  }

  void ReadInline(BlockKey key, const std::string& value) {
    const auto block = Check(DecodeInlineBlock(value));
    if (!block) return;
    auto& blocks = found_.chunks[key.chunk].blocks;
    if (block->is_zero()) {
      blocks.erase(key.block);
    } else {
      blocks[key.block] = block->checksum;
    }
  }

  const SimPlatter& platter_;
  const std::map<std::string, std::string, std::less<>> entries_;
  const std::string server_;
  std::uint64_t slab_bytes_ = kSlabBytesMin;
  StoredChunks& found_;
};

}  // namespace

StoredChunks::StoredChunks(SimCluster& cluster, const std::string& server) {
  Reader(cluster, server, *this).Run();
}

}  // namespace gabion
