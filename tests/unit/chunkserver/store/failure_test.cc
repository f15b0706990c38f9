// Disks that fail and indexes that are not what they should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chunkserver/store/index_key.h"
#include "chunkserver/store/mark_record.h"
#include "chunkserver/store/superblock.h"
#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

using testing::HasSubstr;

constexpr ChunkId kChunk{1};
constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::uint64_t kAlways = 1'000'000;

class FailureTest : public testing::Test {
 protected:
  FailureTest() { s.MustWrite(kChunk, 0, bytes_, true); }

  void ExpectOffline(std::string_view reason) {
    ASSERT_TRUE(s.store().core().offline_reason().has_value());
    EXPECT_THAT(*s.store().core().offline_reason(), HasSubstr(std::string(reason)));
    for (const Error& error :
         {s.Write(kChunk, 0, "x").error(), s.Run(s.store().Read(kChunk, 0, kBlock)).error(),
          s.Run(s.store().Sync()).error(), s.Remove(kChunk).error(), s.Zero(kChunk, 0, 1).error(),
          s.Trim(kChunk, 0, 1).error(), s.Copy(kChunk, 0, ChunkId(2), 0, 1).error(),
          s.Run(s.store().Stat(kChunk)).error(), s.Run(s.store().List({})).error(),
          s.Run(s.store().Digest(kChunk, 0, 1)).error(), s.Run(s.store().Adopt({})).error(),
          s.Run(s.store().ClearUnsettled(PgId(7), {kChunk})).error(), s.Run(s.store().Groups()).error()}) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      EXPECT_THAT(error.message(), HasSubstr("store disk is offline"));
      EXPECT_THAT(error.message(), HasSubstr(std::string(reason)));
    }
    EXPECT_FALSE(s.store().core().has_space());
  }
  void ExpectWholeAfterRestart() {
    s.Restart();
    EXPECT_EQ(s.MustRead(kChunk, 0, bytes_.size()), bytes_);
    s.CheckIndex();
  }
  void PutIntoIndex(std::string key, std::string value) {
    WriteBatch batch;
    batch.Put(std::move(key), std::move(value));
    CHECK(s.machine().kv("index").Apply(batch).has_value());
  }
  Error OpenError() {
    s.Close();
    Result<void> opened = s.TryOpen();
    CHECK(!opened.has_value());
    EXPECT_TRUE(s.store().core().offline_reason().has_value());
    EXPECT_EQ(s.Write(kChunk, 0, "x").error().code(), ErrorCode::kUnavailable);
    return opened.error();
  }

  SimStore s{1};
  const std::string bytes_ = Pattern(1, 100 * 1000);
};

TEST_F(FailureTest, FailedWriteTakesTheStoreOffline) {
  s.platter().FailWrites(kAlways);
  EXPECT_EQ(s.Write(kChunk, 0, Pattern(2, kBlock)).error().code(), ErrorCode::kIo);
  s.platter().FailWrites(0);
  ExpectOffline("writing server/disk/slab-000000: I/O error");
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, FailedSyncTakesTheStoreOffline) {
  s.MustWrite(ChunkId(2), 0, Pattern(2, kBlock));
  s.platter().FailSyncs(kAlways);
  EXPECT_EQ(s.Run(s.store().Sync()).error().code(), ErrorCode::kIo);
  s.platter().FailSyncs(0);
  ExpectOffline("syncing server/disk/slab-000000: I/O error");
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, FailedCommitTakesTheStoreOffline) {
  s.index().FailApply(true);
  EXPECT_EQ(s.Write(kChunk, 0, Pattern(2, kBlock)).error().code(), ErrorCode::kIo);
  s.index().FailApply(false);
  ExpectOffline("injected write error");
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, FailedIndexSyncTakesTheStoreOffline) {
  s.index().FailSync(true);
  EXPECT_EQ(s.Write(ChunkId(2), 0, Pattern(2, kBlock), true).error().code(), ErrorCode::kIo);
  s.index().FailSync(false);
  ExpectOffline("injected sync error");
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, FewReadErrorsAreBornMoreAreNot) {
  s.platter().FailReads(kAlways);
  Result<ChunkRead> read = s.Run(s.store().Read(kChunk, 0, kBlock));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), ErrorCode::kIo);
  EXPECT_FALSE(s.store().core().offline_reason().has_value());
  for (int i = 0; i < 20; ++i) read = s.Run(s.store().Read(kChunk, 0, kBlock));
  s.platter().FailReads(0);
  ExpectOffline("reading server/disk/slab-000000: I/O error");
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, WritersThatWaitHearOfTheFailure) {
  s.platter().FailSyncs(kAlways);
  // More pages than may be unsynced: at some point a writer waits for a sync.
  Result<void> written;
  for (std::uint32_t i = 0; written && i < 2000; ++i)
    written = s.Write(kChunk, i * 16 * kBlock % (32u << 20), Pattern(i, kBlock));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), ErrorCode::kUnavailable);
}

TEST_F(FailureTest, DiskThatIsGoneAtStart) {
  s.platter().SetDead(true);
  EXPECT_EQ(OpenError().code(), ErrorCode::kIo);
  ExpectOffline("I/O error");
  s.platter().SetDead(false);
  ExpectWholeAfterRestart();
}

TEST_F(FailureTest, StoreOfANewerProgramIsRefused) {
  std::string superblock = EncodeSuperblock(Superblock());
  superblock[0] = 9;
  PutIntoIndex(SuperblockKey(), superblock);
  Error error = OpenError();
  EXPECT_EQ(error.code(), ErrorCode::kVersionMismatch);
  EXPECT_THAT(error.message(), HasSubstr("format version 9"));
  EXPECT_THAT(error.message(), HasSubstr("start the newer program"));
}

TEST_F(FailureTest, DamagedIndexIsRefused) {
  PutIntoIndex(SegmentKey(0), "\1damaged");
  EXPECT_EQ(OpenError().code(), ErrorCode::kCorrupt);
}

TEST_F(FailureTest, SegmentBeyondTheSlabsIsRefused) {
  SegmentRecord record;
  record.allocated[0] = 1;
  PutIntoIndex(SegmentKey(1000), EncodeSegmentRecord(record));
  Error error = OpenError();
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.message(), HasSubstr("beyond the last slab"));
}

TEST_F(FailureTest, KeysThatDoNotParseAreRefused) {
  for (char table : {kSegmentTable, kInlineTable, kPreviousTable, kPreviousHolesTable, kUnsettledTable}) {
    SimStore other(2);
    WriteBatch batch;
    batch.Put(std::string(1, table) + "odd", "value");
    ASSERT_TRUE(other.machine().kv("index").Apply(batch).has_value());
    other.Close();
    Result<void> opened = other.TryOpen();
    ASSERT_FALSE(opened.has_value()) << table;
    EXPECT_EQ(opened.error().code(), ErrorCode::kCorrupt) << table;
  }
}

TEST_F(FailureTest, DamagedGroupTableIsSaid) {
  PutIntoIndex(EncodeKey(GroupKey{PgId(7), Epoch(9), kChunk}), "damaged");
  PutIntoIndex(GroupPrefix(PgId(8)), EncodeMark());
  ListQuery query;
  query.pg = PgId(7);
  query.by_epoch = true;
  EXPECT_EQ(s.Run(s.store().List(query)).error().code(), ErrorCode::kVersionMismatch);
  EXPECT_EQ(s.Run(s.store().Groups()).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(s.MustRead(kChunk, 0, bytes_.size()), bytes_);
}

TEST_F(FailureTest, DamagedTombstoneTakesTheStoreOffline) {
  PutIntoIndex(TombstoneKey(ChunkId(9)), "\1damaged");
  s.Settle();
  ExpectOffline("tombstone: wrong length");
}

TEST_F(FailureTest, DamagedPageRecordIsSaidAndTheStoreGoesOn) {
  s.MustWrite(ChunkId(2), 0, Pattern(2, kBlock));
  PutIntoIndex(EncodeKey(PageKey{kChunk, 0}), "\1damaged");
  EXPECT_EQ(s.Run(s.store().Read(kChunk, 0, kBlock)).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(s.Write(kChunk, 0, "x").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(s.MustRead(ChunkId(2), 0, kBlock), Pattern(2, kBlock));
}

TEST_F(FailureTest, SlabSizeThatCannotBeIsRefused) {
  StoreOptions options = SmallStoreOptions();
  options.slab_bytes = 1000;
  ExtentStore store(s.machine().env(), s.machine().disk("other"), s.machine().kv("other"), "other", options);
  Result<void> opened = s.Run(store.Open());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
  s.world().RunUntilDone(store.Stop());
}

}  // namespace
}  // namespace gabion
