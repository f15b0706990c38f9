// Every record and key of the chunk index: there and back, cut short, too long, damaged, random.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chunkserver/store/block_allocator.h"
#include "chunkserver/store/chunk_record.h"
#include "chunkserver/store/index_key.h"
#include "chunkserver/store/inline_blocks.h"
#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/page_record.h"
#include "chunkserver/store/record_codec.h"
#include "chunkserver/store/shared_blocks.h"
#include "chunkserver/store/superblock.h"
#include "chunkserver/store/tombstone.h"
#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

using testing::HasSubstr;

std::string RandomBytes(SimRandom& random, std::size_t length) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

// What holds for every codec; `record` is a good one of the newest version.
template <typename Decode>
void ExpectStrict(const std::string& record, Decode decode) {
  ASSERT_TRUE(decode(record).has_value());
  for (std::size_t length = 0; length < record.size(); ++length) {
    auto decoded = decode(std::string_view(record).substr(0, length));
    ASSERT_FALSE(decoded.has_value()) << "cut to " << length;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kCorrupt) << "cut to " << length;
  }
  auto longer = decode(record + '\0');
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().code(), ErrorCode::kCorrupt);
  std::string newer = record;
  ++newer[0];
  auto from_newer = decode(newer);
  ASSERT_FALSE(from_newer.has_value());
  EXPECT_EQ(from_newer.error().code(), ErrorCode::kVersionMismatch);
  EXPECT_THAT(from_newer.error().message(), HasSubstr(fmt::format("version {}", int{newer[0]})));

  SimRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = record;
    damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    static_cast<void>(decode(damaged).has_value());  // whatever it says, it says it without harm
    std::string noise = RandomBytes(random, random.Below(300));
    if (!noise.empty()) noise[0] = record[0];
    static_cast<void>(decode(noise).has_value());
  }
}

TEST(ChunkRecordTest, ThereAndBack) {
  ChunkRecord record{PgId(0x01020304), Epoch(5), 64 << 20, 0xfedcba9876543210};
  std::string encoded = EncodeChunkRecord(record);
  EXPECT_EQ(encoded.size(), 21u);
  EXPECT_EQ(encoded.substr(0, 5), std::string("\x01\x01\x02\x03\x04"));
  EXPECT_EQ(*DecodeChunkRecord(encoded), record);
  ExpectStrict(encoded, DecodeChunkRecord);
}

TEST(ChunkRecordTest, LongerThanAChunkCannotBe) {
  ChunkRecord record;
  record.length_bytes = (64 << 20) + 1;
  EXPECT_EQ(DecodeChunkRecord(EncodeChunkRecord(record)).error().code(), ErrorCode::kCorrupt);
}

PageRecord RandomPage(SimRandom& random) {
  PageRecord page;
  BlockAddress next = random.Next() >> random.Below(60);
  for (BlockEntry& block : page.blocks) {
    if (random.Chance(1, 3)) next = random.Next() >> (1 + random.Below(60));
    if (random.Chance(4, 5)) block = {next++, random.Next()};
  }
  return page;
}

TEST(PageRecordTest, ThereAndBack) {
  SimRandom random(1);
  for (int i = 0; i < 500; ++i) {
    PageRecord page = RandomPage(random);
    Result<PageRecord> decoded = DecodePageRecord(EncodePageRecord(page));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().ToString();
    EXPECT_EQ(*decoded, page);
  }
  for (int i = 0; i < 5; ++i) ExpectStrict(EncodePageRecord(RandomPage(random)), DecodePageRecord);
  EXPECT_EQ(*DecodePageRecord(EncodePageRecord(PageRecord())), PageRecord());
}

TEST(PageRecordTest, OneRunIsShort) {
  PageRecord page;
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) page.blocks[i] = {100 + i, i};
  EXPECT_EQ(EncodePageRecord(page).size(), 3u + 2u + 16u * 8u);
}

TEST(PageRecordTest, RunsThatCannotBe) {
  std::string start("\x01\x00\x03", 3);  // blocks 0 and 1
  std::string checksums(16, 'c');
  std::string one_run = start + "\x02\x05" + checksums;
  EXPECT_TRUE(DecodePageRecord(one_run).has_value());
  EXPECT_FALSE(DecodePageRecord(start + std::string("\x00\x05", 2) + checksums).has_value()) << "an empty run";
  EXPECT_FALSE(DecodePageRecord(start + "\x03\x05" + checksums).has_value()) << "longer than the page";
  EXPECT_FALSE(DecodePageRecord(start + "\x02" + std::string(9, '\xff') + "\x01" + checksums).has_value())
      << "no address";
  EXPECT_FALSE(DecodePageRecord(start + "\x02" + std::string(10, '\xff') + checksums).has_value()) << "over 64 bits";
}

TEST(SegmentRecordTest, ThereAndBack) {
  SegmentRecord record;
  record.allocated[0] = 5;
  record.allocated[15] = 1ull << 63;
  record.has_shared = true;
  EXPECT_EQ(*DecodeSegmentRecord(EncodeSegmentRecord(record)), record);
  ExpectStrict(EncodeSegmentRecord(record), DecodeSegmentRecord);
  record.allocated.fill(~0ull);
  EXPECT_EQ(EncodeSegmentRecord(record), "\x01\x03") << "a full segment is short";
  EXPECT_EQ(*DecodeSegmentRecord("\x01\x03"), record);
  ExpectStrict(EncodeSegmentRecord(record), DecodeSegmentRecord);
  EXPECT_FALSE(DecodeSegmentRecord("\x01\x07").has_value()) << "flags nobody knows";
}

TEST(SharedBlocksTest, CountsAndComesBack) {
  SharedBlocks shared;
  EXPECT_EQ(shared.references(7), 1u);
  for (int block : {7, 8, 9, 1000, 1023}) ASSERT_TRUE(shared.Add(static_cast<std::uint16_t>(block)));
  ASSERT_TRUE(shared.Add(8));
  EXPECT_EQ(shared.references(8), 3u);
  EXPECT_EQ(*SharedBlocks::Decode(shared.Encode()), shared);
  ExpectStrict(shared.Encode(), SharedBlocks::Decode);
  EXPECT_FALSE(shared.Drop(8));
  EXPECT_FALSE(shared.Drop(8));
  EXPECT_EQ(shared.references(8), 1u);
  EXPECT_TRUE(shared.Drop(8)) << "the last one";
  for (int block : {7, 9, 1000, 1023}) EXPECT_FALSE(shared.Drop(static_cast<std::uint16_t>(block)));
  EXPECT_TRUE(shared.empty());
}

TEST(SharedBlocksTest, RunsThatCannotBe) {
  auto decode = [](std::string_view runs) { return SharedBlocks::Decode("\x01\x01" + std::string(runs)).has_value(); };
  EXPECT_TRUE(decode("\x05\x01\x02"));
  EXPECT_FALSE(decode(std::string_view("\x05\x00\x02", 3))) << "empty";
  EXPECT_FALSE(decode("\x05\x01\x01")) << "one reference is not shared";
  EXPECT_FALSE(decode("\x01\x80\x08\x02")) << "1024 blocks from 1";
  EXPECT_FALSE(decode("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x02"));
}

TEST(InlineBlockTest, ThereAndBack) {
  std::string bytes(kBlockBytes, 'x');
  InlineBlock block{Slice::CopyOf(bytes), 0, 0};
  block.checksum = ChecksumOf(block.data.span());
  std::string encoded = EncodeInlineBlock(block);
  Result<InlineBlock> decoded = DecodeInlineBlock(encoded);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(decoded->data.data()), kBlockBytes), bytes);
  EXPECT_EQ(decoded->checksum, block.checksum);
  encoded[2000] = 'y';
  EXPECT_EQ(DecodeInlineBlock(encoded).error().code(), ErrorCode::kCorrupt);
  encoded[2000] = 'x';
  for (std::size_t length : {0u, 1u, 8u, 9u, 10u, 4000u, 4104u}) {
    EXPECT_EQ(DecodeInlineBlock(encoded.substr(0, length)).error().code(), ErrorCode::kCorrupt) << length;
  }
  EXPECT_EQ(DecodeInlineBlock(encoded + "x").error().code(), ErrorCode::kCorrupt);
}

TEST(InlineBlockTest, ZerosAreShort) {
  InlineBlock zeros;
  zeros.checksum = ZeroBlockChecksum();
  std::string encoded = EncodeInlineBlock(zeros);
  EXPECT_EQ(encoded.size(), 9u);
  EXPECT_TRUE(DecodeInlineBlock(encoded)->is_zero());
  ExpectStrict(encoded, DecodeInlineBlock);
  zeros.checksum = 1;
  EXPECT_FALSE(DecodeInlineBlock(EncodeInlineBlock(zeros)).has_value());
}

TEST(SuperblockTest, ThereAndBack) {
  Superblock superblock;
  superblock.store_id = 0x1122334455667788;
  superblock.slab_bytes = 1 << 30;
  superblock.slab_count = 12;
  superblock.boot_id = "0f4b0c9e-boot";
  superblock.siblings = {1, 2, 0xffffffffffffffff};
  EXPECT_EQ(*DecodeSuperblock(EncodeSuperblock(superblock)), superblock);
  ExpectStrict(EncodeSuperblock(superblock), DecodeSuperblock);
}

TEST(SuperblockTest, SizesThatCannotBe) {
  for (std::uint64_t slab_bytes :
       {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{100'000}, std::uint64_t{1} << 50}) {
    Superblock superblock;
    superblock.slab_bytes = slab_bytes;
    EXPECT_EQ(DecodeSuperblock(EncodeSuperblock(superblock)).error().code(), ErrorCode::kCorrupt) << slab_bytes;
  }
  Superblock superblock;
  superblock.slab_bytes = 1 << 30;
  superblock.siblings.assign(kSiblingsMax + 1, 1);
  EXPECT_FALSE(DecodeSuperblock(EncodeSuperblock(superblock)).has_value());
  superblock.siblings.clear();
  superblock.boot_id.assign(10'000, 'b');
  EXPECT_FALSE(DecodeSuperblock(EncodeSuperblock(superblock)).has_value());
}

TEST(SuperblockTest, OldOnesAreRefused) {
  std::string encoded = EncodeSuperblock(Superblock());
  encoded[0] = 1;
  Error error = DecodeSuperblock(encoded).error();
  EXPECT_EQ(error.code(), ErrorCode::kVersionMismatch);
  EXPECT_THAT(error.message(), HasSubstr("format version 1; this program knows version 2 only"));
  EXPECT_THAT(error.message(), HasSubstr("use an empty directory"));
}

TEST(MarkTest, IsItsVersion) {
  EXPECT_EQ(EncodeMark(), "\x01");
  ExpectStrict(EncodeMark(), DecodeMark);
}

TEST(TombstoneTest, ThereAndBack) {
  Tombstone tombstone{0x0102030405060708};
  EXPECT_EQ(EncodeTombstone(tombstone), "\x01\x01\x02\x03\x04\x05\x06\x07\x08");
  ExpectStrict(EncodeTombstone(tombstone), DecodeTombstone);
  for (std::int64_t removed_ns : {tombstone.removed_ns, std::int64_t{-5}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(*DecodeTombstone(EncodeTombstone({removed_ns})), Tombstone{removed_ns});
  }
}

TEST(IndexKeyTest, ThereAndBackInOrder) {
  EXPECT_EQ(SegmentKey(0x01020304), "A\x01\x02\x03\x04");
  EXPECT_EQ(*DecodeSegmentKey(SegmentKey(77)), 77u);
  EXPECT_EQ(*DecodeSegmentKey(RefcountKey(78)), 78u);
  EXPECT_EQ(*DecodeChunkRecordKey(ChunkKey(ChunkId(9))), ChunkId(9));
  PageKey page{ChunkId(0x0102030405060708), 1023};
  EXPECT_EQ(EncodeKey(page), "D\x01\x02\x03\x04\x05\x06\x07\x08\x03\xff");
  EXPECT_EQ(*DecodePageKey(EncodeKey(page)), page);
  BlockKey block{ChunkId(5), 16383};
  EXPECT_EQ(*DecodeBlockKey(EncodeKey(block)), block);
  PreviousKey previous{0x0a0b, page};
  for (const std::string& key : {EncodeKey(previous), PreviousHolesKey(previous)}) {
    EXPECT_EQ(DecodePreviousKey(key)->generation, previous.generation);
    EXPECT_EQ(DecodePreviousKey(key)->page, page);
  }
  EXPECT_EQ(TombstoneKey(ChunkId(0x0102030405060708)), "X\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(*DecodeTombstoneKey(TombstoneKey(ChunkId(9))), ChunkId(9));
  GroupKey group{PgId(0x01020304), Epoch(0x05060708), ChunkId(0x090a0b0c0d0e0f10)};
  EXPECT_EQ(EncodeKey(group), "G\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
  EXPECT_EQ(*DecodeGroupEntryKey(EncodeKey(group)), group);
  EXPECT_EQ(EncodeKey(group).substr(0, 5), GroupPrefix(group.pg));
  GroupChunkKey unsettled{PgId(0x01020304), ChunkId(0x090a0b0c0d0e0f10)};
  EXPECT_EQ(UnsettledKey(unsettled), "U\x01\x02\x03\x04\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
  EXPECT_EQ(*DecodeUnsettledKey(UnsettledKey(unsettled)), unsettled);
  EXPECT_LT(EncodeKey(GroupKey{PgId(1), Epoch(255), ChunkId(9)}), EncodeKey(GroupKey{PgId(1), Epoch(256), ChunkId(1)}));
  EXPECT_LT(EncodeKey(PageKey{ChunkId(1), 255}), EncodeKey(PageKey{ChunkId(1), 256}));
  EXPECT_LT(EncodeKey(PageKey{ChunkId(1), 1023}), EncodeKey(PageKey{ChunkId(2), 0}));
}

TEST(IndexKeyTest, OthersAreRefused) {
  PageKey page{ChunkId(1), 3};
  std::string key = EncodeKey(page);
  for (std::size_t length = 0; length < key.size(); ++length)
    EXPECT_FALSE(DecodePageKey(key.substr(0, length)).has_value());
  EXPECT_FALSE(DecodePageKey(key + "x").has_value());
  EXPECT_FALSE(DecodePageKey(EncodeKey(PageKey{ChunkId(1), 1024})).has_value()) << "a chunk has 1024 pages";
  EXPECT_FALSE(DecodePageKey(EncodeKey(BlockKey{ChunkId(1), 3})).has_value()) << "of another table";
  EXPECT_FALSE(DecodeBlockKey(EncodeKey(BlockKey{ChunkId(1), 16384})).has_value());
  EXPECT_FALSE(DecodeBlockKey(key).has_value());
  EXPECT_FALSE(DecodeChunkRecordKey(key).has_value());
  EXPECT_FALSE(DecodeSegmentKey(ChunkKey(ChunkId(1))).has_value());
  EXPECT_FALSE(DecodePreviousKey(key).has_value());
  EXPECT_FALSE(DecodePreviousKey(EncodeKey(PreviousKey{1, {ChunkId(1), 1024}})).has_value());
  std::string group = EncodeKey(GroupKey{PgId(1), Epoch(2), ChunkId(3)});
  std::string unsettled = UnsettledKey({PgId(1), ChunkId(3)});
  std::string tombstone = TombstoneKey(ChunkId(3));
  for (std::size_t cut = 1; cut <= 9; ++cut) {
    EXPECT_FALSE(DecodeGroupEntryKey(group.substr(0, group.size() - cut)).has_value());
    EXPECT_FALSE(DecodeUnsettledKey(unsettled.substr(0, unsettled.size() - cut)).has_value());
    EXPECT_FALSE(DecodeTombstoneKey(tombstone.substr(0, tombstone.size() - cut)).has_value());
  }
  EXPECT_FALSE(DecodeGroupEntryKey(group + "x").has_value());
  EXPECT_FALSE(DecodeUnsettledKey(unsettled + "x").has_value());
  EXPECT_FALSE(DecodeTombstoneKey(tombstone + "x").has_value());
  EXPECT_FALSE(DecodeTombstoneKey(ChunkKey(ChunkId(3))).has_value());
  EXPECT_FALSE(DecodeChunkRecordKey(tombstone).has_value());
  SimRandom random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string noise = RandomBytes(random, random.Below(24));
    static_cast<void>(DecodeGroupEntryKey(noise));
    static_cast<void>(DecodeUnsettledKey(noise));
    static_cast<void>(DecodeTombstoneKey(noise));
    static_cast<void>(DecodePageKey(noise));
    static_cast<void>(DecodeBlockKey(noise));
    static_cast<void>(DecodeChunkRecordKey(noise));
    static_cast<void>(DecodeSegmentKey(noise));
    static_cast<void>(DecodePreviousKey(noise));
  }
}

TEST(RecordCodecTest, VarintsOfEverySize) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (std::uint64_t value : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1}) {
      RecordWriter writer;
      writer.Varint(value);
      std::string encoded = std::move(writer).Take();
      RecordReader reader(encoded);
      EXPECT_EQ(reader.Varint(), value);
      EXPECT_TRUE(reader.AtEnd());
    }
  }
  RecordReader endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(endless.Varint(), 0u);
  EXPECT_FALSE(endless.ok());
  RecordReader cut("\x80");
  EXPECT_EQ(cut.Varint(), 0u);
  EXPECT_FALSE(cut.ok());
}

}  // namespace
}  // namespace gabion
