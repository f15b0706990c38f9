#include "chunkserver/store/index_key.h"

#include "chunkserver/store/record_codec.h"
#include "common/base/byte_units.h"

namespace gabion {
namespace {

std::string Key32(char table, std::uint32_t number) {
  RecordWriter writer;
  writer.U8(static_cast<std::uint8_t>(table));
  writer.U32(number);
  return std::move(writer).Take();
}

std::string Key64(char table, std::uint64_t number) {
  RecordWriter writer;
  writer.U8(static_cast<std::uint8_t>(table));
  writer.U64(number);
  return std::move(writer).Take();
}

std::string PartKey(char table, ChunkId chunk, std::uint16_t part) {
  RecordWriter writer;
  writer.U8(static_cast<std::uint8_t>(table));
  writer.U64(chunk.value());
  writer.U16(part);
  return std::move(writer).Take();
}

std::optional<ChunkId> ChunkOf(char wanted_table, std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  ChunkId chunk(reader.U64());
  if (!reader.AtEnd() || table != wanted_table) return std::nullopt;
  return chunk;
}

std::string PreviousKeyOf(char table, PreviousKey key) {
  RecordWriter writer;
  writer.U8(static_cast<std::uint8_t>(table));
  writer.U64(key.generation);
  writer.U64(key.page.chunk.value());
  writer.U16(key.page.page);
  return std::move(writer).Take();
}

}  // namespace

std::string SuperblockKey() {
  return std::string(1, kSuperblockTable);
}
std::string ChunkCountKey() {
  return std::string(1, kCountTable);
}
std::string SegmentKey(std::uint32_t segment) {
  return Key32(kSegmentTable, segment);
}
std::string RefcountKey(std::uint32_t segment) {
  return Key32(kRefcountTable, segment);
}
std::string ChunkKey(ChunkId chunk) {
  return Key64(kChunkTable, chunk.value());
}
std::string TombstoneKey(ChunkId chunk) {
  return Key64(kTombstoneTable, chunk.value());
}
std::string EncodeKey(PageKey key) {
  return PartKey(kPageTable, key.chunk, key.page);
}
std::string EncodeKey(BlockKey key) {
  return PartKey(kInlineTable, key.chunk, key.block);
}
std::string EncodeKey(PreviousKey key) {
  return PreviousKeyOf(kPreviousTable, key);
}
std::string PreviousHolesKey(PreviousKey key) {
  return PreviousKeyOf(kPreviousHolesTable, key);
}
std::string EncodeKey(GroupKey key) {
  RecordWriter writer;
  writer.U8(kGroupTable);
  writer.U32(key.pg.value());
  writer.U32(key.epoch.value());
  writer.U64(key.chunk.value());
  return std::move(writer).Take();
}
std::string GroupPrefix(PgId pg) {
  return Key32(kGroupTable, pg.value());
}
std::string UnsettledKey(GroupChunkKey key) {
  RecordWriter writer;
  writer.U8(kUnsettledTable);
  writer.U32(key.pg.value());
  writer.U64(key.chunk.value());
  return std::move(writer).Take();
}

std::optional<std::uint32_t> DecodeSegmentKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  std::uint32_t segment = reader.U32();
  if (!reader.AtEnd() || (table != kSegmentTable && table != kRefcountTable)) return std::nullopt;
  return segment;
}

std::optional<ChunkId> DecodeChunkRecordKey(std::string_view key) {
  return ChunkOf(kChunkTable, key);
}

std::optional<ChunkId> DecodeTombstoneKey(std::string_view key) {
  return ChunkOf(kTombstoneTable, key);
}

std::optional<PageKey> DecodePageKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  PageKey page;
  page.chunk = ChunkId(reader.U64());
  page.page = reader.U16();
  if (!reader.AtEnd() || table != kPageTable || page.page >= kPagesPerChunk) return std::nullopt;
  return page;
}

std::optional<BlockKey> DecodeBlockKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  BlockKey block;
  block.chunk = ChunkId(reader.U64());
  block.block = reader.U16();
  if (!reader.AtEnd() || table != kInlineTable || block.block >= kChunkBytes / kBlockBytes) return std::nullopt;
  return block;
}

std::optional<PreviousKey> DecodePreviousKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  PreviousKey previous;
  previous.generation = reader.U64();
  previous.page.chunk = ChunkId(reader.U64());
  previous.page.page = reader.U16();
  if (!reader.AtEnd() || previous.page.page >= kPagesPerChunk) return std::nullopt;
  if (table != kPreviousTable && table != kPreviousHolesTable) return std::nullopt;
  return previous;
}

std::optional<GroupKey> DecodeGroupEntryKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  GroupKey group;
  group.pg = PgId(reader.U32());
  group.epoch = Epoch(reader.U32());
  group.chunk = ChunkId(reader.U64());
  if (!reader.AtEnd() || table != kGroupTable) return std::nullopt;
  return group;
}

std::optional<GroupChunkKey> DecodeUnsettledKey(std::string_view key) {
  RecordReader reader(key);
  std::uint8_t table = reader.U8();
  GroupChunkKey unsettled;
  unsettled.pg = PgId(reader.U32());
  unsettled.chunk = ChunkId(reader.U64());
  if (!reader.AtEnd() || table != kUnsettledTable) return std::nullopt;
  return unsettled;
}

}  // namespace gabion
