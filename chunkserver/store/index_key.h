#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace gabion {

/// A page of a chunk, by its index in the chunk.
struct PageKey {
  ChunkId chunk;
  std::uint16_t page = 0;

  friend auto operator<=>(const PageKey&, const PageKey&) = default;
};

/// A block of a chunk, by its index in the chunk.
struct BlockKey {
  ChunkId chunk;
  std::uint16_t block = 0;

  friend auto operator<=>(const BlockKey&, const BlockKey&) = default;
};

/// A previous page record's place: the sync generation in which the page was first changed, and the page.
struct PreviousKey {
  std::uint64_t generation = 0;
  PageKey page;
};

/// A chunk's place among those of its group, by its last change.
struct GroupKey {
  PgId pg;
  Epoch epoch;
  ChunkId chunk;

  friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

/// A chunk of a group.
struct GroupChunkKey {
  PgId pg;
  ChunkId chunk;

  friend auto operator<=>(const GroupChunkKey&, const GroupChunkKey&) = default;
};

// Keys of the chunk index: a letter for the table, then big-endian integers (docs/formats/chunk_index.md).

inline constexpr char kSegmentTable = 'A';  // allocation bitmaps
inline constexpr char kChunkTable = 'C';
inline constexpr char kPageTable = 'D';
inline constexpr char kGroupTable = 'G';          // chunks by group and epoch
inline constexpr char kInlineTable = 'I';         // small writes, with their data
inline constexpr char kCountTable = 'N';          // how many chunks there are
inline constexpr char kPreviousTable = 'P';       // a page's record before its first change since the last slab sync
inline constexpr char kPreviousHolesTable = 'Q';  // the same for pages in a row that were holes
inline constexpr char kRefcountTable = 'R';       // reference counts above 1, by segment
inline constexpr char kSuperblockTable = 'S';
inline constexpr char kUnsettledTable = 'U';  // chunks that other members may have otherwise
inline constexpr char kTombstoneTable = 'X';  // chunks that were removed

std::string SuperblockKey();
std::string ChunkCountKey();
std::string SegmentKey(std::uint32_t segment);
std::string RefcountKey(std::uint32_t segment);
std::string ChunkKey(ChunkId chunk);
std::string TombstoneKey(ChunkId chunk);
std::string EncodeKey(PageKey key);
std::string EncodeKey(BlockKey key);
std::string EncodeKey(PreviousKey key);
std::string EncodeKey(GroupKey key);
/// Of all keys of a group.
std::string GroupPrefix(PgId pg);
std::string UnsettledKey(GroupChunkKey key);
std::string PreviousHolesKey(PreviousKey key);

// Nothing if the key is not of that table or has another length.

std::optional<std::uint32_t> DecodeSegmentKey(std::string_view key);
std::optional<ChunkId> DecodeChunkRecordKey(std::string_view key);
std::optional<ChunkId> DecodeTombstoneKey(std::string_view key);
std::optional<PageKey> DecodePageKey(std::string_view key);
std::optional<BlockKey> DecodeBlockKey(std::string_view key);
/// Of kPreviousTable or kPreviousHolesTable.
std::optional<PreviousKey> DecodePreviousKey(std::string_view key);
std::optional<GroupKey> DecodeGroupEntryKey(std::string_view key);
std::optional<GroupChunkKey> DecodeUnsettledKey(std::string_view key);

}  // namespace gabion
