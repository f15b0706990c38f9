// What a store tells of the chunks of a group: which there are, which are unsettled, what is in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coro/task_group.h"
#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

using testing::ElementsAre;

constexpr PgId kPg{7};  // of MakeWrite
constexpr ChunkId kChunk{1};
constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::uint32_t kPage = kPageBytes;

class GroupTest : public testing::Test {
 protected:
  void TearDown() override { s.CheckIndex(); }

  void WriteIn(PgId pg, Epoch epoch, std::uint64_t chunk, bool resync = false) {
    ChunkWrite write = MakeWrite(ChunkId(chunk), 0, Pattern(chunk, 100));
    write.pg = pg;
    write.epoch = epoch;
    write.resync = resync;
    ASSERT_TRUE(s.Run(s.store().Write(std::move(write))).has_value());
  }
  static ListQuery Unsettled() {
    ListQuery query;
    query.pg = kPg;
    query.unsettled = true;
    return query;
  }
  static ListQuery After(std::uint32_t epoch) {
    ListQuery query;
    query.pg = kPg;
    query.by_epoch = true;
    query.after_epoch = Epoch(epoch);
    return query;
  }
  /// Page by page.
  std::vector<std::uint64_t> IdsOf(ListQuery query) {
    std::vector<std::uint64_t> ids;
    for (bool end = false; !end;) {
      ChunkPage page = s.MustList(query);
      EXPECT_LE(page.chunks.size(), query.max_entries);
      EXPECT_TRUE(page.end || !page.chunks.empty()) << "no way on";
      for (const ChunkSummary& summary : page.chunks) ids.push_back(summary.chunk.value());
      if (!page.chunks.empty()) query.after = page.chunks.back().chunk;
      end = page.end || page.chunks.empty();
    }
    return ids;
  }
  std::uint64_t DigestIn(SimStore& store, ChunkId chunk) {
    ListQuery query = After(0);
    query.after = ChunkId(chunk.value() - 1);
    query.max_entries = 1;
    ChunkPage page = store.MustList(query);
    EXPECT_EQ(page.chunks.size(), 1u);
    return page.chunks.empty() ? 0 : page.chunks.front().digest;
  }

  SimStore s{1};
};

TEST_F(GroupTest, EveryKindOfChangeUnsettles) {
  s.MustWrite(kChunk, 0, Pattern(1, 3 * kBlock));
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk));
  EXPECT_FALSE(s.store().IsUnsettled(PgId(8), kChunk));
  EXPECT_FALSE(s.store().IsUnsettled(kPg, ChunkId(2)));
  s.MustClearUnsettled({kChunk});
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  ASSERT_TRUE(s.Zero(kChunk, 10, kBlock).has_value());
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk));
  s.MustClearUnsettled({kChunk});
  ASSERT_TRUE(s.Trim(kChunk, kBlock, 1).has_value());
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk));
  s.MustClearUnsettled({kChunk});
  ASSERT_TRUE(s.Copy(kChunk, 0, ChunkId(2), 0, kBlock).has_value());
  EXPECT_TRUE(s.store().IsUnsettled(kPg, ChunkId(2)));
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk)) << "it was only read";
  ASSERT_TRUE(s.Remove(ChunkId(2)).has_value());
  EXPECT_FALSE(s.store().IsUnsettled(kPg, ChunkId(2)));
}

TEST_F(GroupTest, ResyncAndReadsUnsettleNothing) {
  WriteIn(kPg, Epoch(3), 1, true);
  ChunkZero zero;
  zero.chunk = kChunk;
  zero.pg = kPg;
  zero.length_bytes = 10;
  zero.resync = true;
  ASSERT_TRUE(s.Run(s.store().Zero(zero)).has_value());
  s.MustRead(kChunk, 0, 100);
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  s.MustWrite(kChunk, 0, "a change");
  WriteIn(kPg, Epoch(3), 1, true);
  EXPECT_TRUE(s.store().IsUnsettled(kPg, kChunk)) << "and settle nothing";
}

TEST_F(GroupTest, ChangesThatChangeNothingUnsettleNothing) {
  ASSERT_TRUE(s.Zero(kChunk, 0, kBlock).has_value());
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk)) << "there is no such chunk";
  ASSERT_TRUE(s.Trim(kChunk, 0, 5).has_value());
  s.MustClearUnsettled({kChunk});
  ASSERT_TRUE(s.Trim(kChunk, 0, 5).has_value());
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk)) << "done before";
}

TEST_F(GroupTest, UnsettledChunksSurviveAKillAsTheWritesDo) {
  for (std::uint64_t chunk = 1; chunk <= 20; ++chunk) s.MustWrite(ChunkId(chunk), 0, Pattern(chunk, 100));
  s.MustClearUnsettled({ChunkId(3), ChunkId(4), ChunkId(99)});
  s.MustWrite(ChunkId(4), 0, "again");
  ASSERT_TRUE(s.Remove(ChunkId(5)).has_value());
  s.KillAndRestart();
  for (std::uint64_t chunk = 1; chunk <= 20; ++chunk) {
    EXPECT_EQ(s.store().IsUnsettled(kPg, ChunkId(chunk)), chunk != 3 && chunk != 5) << chunk;
  }
  EXPECT_EQ(IdsOf(Unsettled()).size(), 18u);
}

TEST_F(GroupTest, PowerLossTakesChangeAndMarkTogether) {
  for (int round = 0; round < 30; ++round) {
    std::uint64_t first = 1 + static_cast<std::uint64_t>(round) * 10;
    for (std::uint64_t chunk = first; chunk < first + 10; ++chunk) s.MustWrite(ChunkId(chunk), 0, Pattern(chunk, 100));
    s.LosePowerAndRestart();
    for (std::uint64_t chunk = first; chunk < first + 10; ++chunk) {
      EXPECT_EQ(s.store().IsUnsettled(kPg, ChunkId(chunk)), s.MustStat(ChunkId(chunk)).has_value()) << chunk;
    }
  }
}

TEST_F(GroupTest, ClearedIsClearedAfterASync) {
  s.MustWrite(kChunk, 0, "bytes");
  s.MustClearUnsettled({kChunk});
  s.MustSync();
  s.LosePowerAndRestart();
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
}

TEST_F(GroupTest, MarkMovesWithTheChunksGroup) {
  WriteIn(kPg, Epoch(1), 1);
  WriteIn(PgId(8), Epoch(1), 1, true);
  EXPECT_FALSE(s.store().IsUnsettled(kPg, kChunk));
  EXPECT_TRUE(s.store().IsUnsettled(PgId(8), kChunk));
  EXPECT_THAT(IdsOf(After(0)), ElementsAre());
}

TEST_F(GroupTest, ListsChunksByTheEpochOfTheirLastChange) {
  WriteIn(kPg, Epoch(5), 1);
  WriteIn(kPg, Epoch(6), 2);
  WriteIn(kPg, Epoch(7), 3);
  WriteIn(PgId(8), Epoch(9), 4);
  EXPECT_THAT(IdsOf(After(0)), ElementsAre(1, 2, 3));
  EXPECT_THAT(IdsOf(After(5)), ElementsAre(2, 3));
  EXPECT_THAT(IdsOf(After(7)), ElementsAre());
  EXPECT_THAT(IdsOf(After(UINT32_MAX)), ElementsAre());
  WriteIn(kPg, Epoch(8), 1);
  EXPECT_THAT(IdsOf(After(5)), ElementsAre(1, 2, 3));
  EXPECT_THAT(IdsOf(After(7)), ElementsAre(1));
  WriteIn(kPg, Epoch(2), 1);
  EXPECT_THAT(IdsOf(After(7)), ElementsAre(1)) << "epochs only grow";
  ASSERT_TRUE(s.Remove(kChunk).has_value());
  EXPECT_THAT(IdsOf(After(5)), ElementsAre(2, 3));
}

TEST_F(GroupTest, UnionOfBothHasEachChunkOnce) {
  for (std::uint64_t chunk : {1, 2, 3, 4}) WriteIn(kPg, Epoch(static_cast<std::uint32_t>(chunk)), chunk);
  WriteIn(PgId(8), Epoch(9), 5);
  s.MustClearUnsettled({ChunkId(1), ChunkId(4)});
  ListQuery query = After(2);
  query.unsettled = true;
  EXPECT_THAT(IdsOf(query), ElementsAre(2, 3, 4));
  EXPECT_THAT(IdsOf(Unsettled()), ElementsAre(2, 3));
  ListQuery nothing;
  nothing.pg = kPg;
  EXPECT_THAT(IdsOf(nothing), ElementsAre());
}

TEST_F(GroupTest, PagesAreInOrderAndWhole) {
  // Ids and epochs run against each other, so that the smallest ids come last in the index.
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    WriteIn(kPg, Epoch(static_cast<std::uint32_t>(200 - i)), i * 10);
    all.push_back(i * 10);
  }
  for (std::size_t max_entries : {1u, 7u, 50u, 99u, 100u, 101u}) {
    ListQuery query = After(0);
    query.max_entries = max_entries;
    EXPECT_EQ(IdsOf(query), all) << max_entries;
    query.unsettled = true;
    EXPECT_EQ(IdsOf(query), all) << max_entries;
    query.by_epoch = false;
    EXPECT_EQ(IdsOf(query), all) << max_entries;
  }
  ListQuery query = After(0);
  query.max_entries = 100;
  EXPECT_TRUE(s.MustList(query).end);
  query.max_entries = 99;
  EXPECT_FALSE(s.MustList(query).end);
  query.after = ChunkId(15);
  EXPECT_EQ(s.MustList(query).chunks.front().chunk, ChunkId(20));
}

TEST_F(GroupTest, ListsOfNoOrTooManyEntriesAreRefused) {
  ListQuery query = Unsettled();
  query.max_entries = 0;
  EXPECT_EQ(s.Run(s.store().List(query)).error().code(), ErrorCode::kInvalidArgument);
  query.max_entries = kListEntriesMax + 1;
  EXPECT_EQ(s.Run(s.store().List(query)).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(GroupTest, ListsAndGroupsFromAColdIndex) {
  s.index().options().cold = true;
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    WriteIn(kPg, Epoch(static_cast<std::uint32_t>(i % 5 + 1)), i);
    all.push_back(i);
  }
  s.index().Cool();
  EXPECT_EQ(IdsOf(After(0)), all);
  s.index().Cool();
  EXPECT_THAT(*s.Run(s.store().Groups()), ElementsAre(kPg));
}

TEST_F(GroupTest, GroupsAreThoseWithChunks) {
  EXPECT_THAT(*s.Run(s.store().Groups()), ElementsAre());
  for (std::uint32_t pg : {UINT32_MAX, 3u, 256u, 3u, 3u, 1u}) WriteIn(PgId(pg), Epoch(pg), pg + std::uint64_t{10});
  EXPECT_THAT(*s.Run(s.store().Groups()), ElementsAre(PgId(1), PgId(3), PgId(256), PgId(UINT32_MAX)));
  ASSERT_TRUE(s.Remove(ChunkId(266)).has_value());
  EXPECT_THAT(*s.Run(s.store().Groups()), ElementsAre(PgId(1), PgId(3), PgId(UINT32_MAX)));
}

Task<void> KeepChanging(ExtentStore& store, SimRandom& random, const bool& stop) {
  for (std::uint32_t epoch = 10; !stop; ++epoch) {
    ChunkWrite write = MakeWrite(ChunkId(1 + random.Below(50)), 0, Pattern(epoch, 100));
    write.epoch = Epoch(epoch);
    Result<void> written = co_await store.Write(std::move(write));
    CHECK(written.has_value());
  }
}

TEST_F(GroupTest, ListMissesNoChunkThatChangesMeanwhile) {
  s.index().options().cold = true;
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    WriteIn(kPg, Epoch(5), i);
    all.push_back(i);
  }
  bool stop = false;
  TaskGroup tasks;
  tasks.Spawn(s.machine().env().executor, KeepChanging(s.store(), s.world().random(), stop));
  for (int i = 0; i < 20; ++i) {
    s.index().Cool();
    ASSERT_EQ(IdsOf(After(4)), all);
  }
  stop = true;
  s.world().RunUntilDone(tasks.Join());
}

TEST_F(GroupTest, SummaryHasWhatTheRecordHas) {
  s.MustWrite(kChunk, 0, Pattern(1, 5000));
  ASSERT_TRUE(s.Trim(kChunk, 4500, 77).has_value());
  ChunkPage page = s.MustList(Unsettled());
  ASSERT_EQ(page.chunks.size(), 1u);
  EXPECT_TRUE(page.chunks[0].exists);
  EXPECT_EQ(page.chunks[0].length_bytes, 4500u);
  EXPECT_EQ(page.chunks[0].trim_generation, 77u);
  std::vector<BlockChecksum> checksums = s.Run(s.store().Digest(kChunk, 0, 1))->checksums;
  ASSERT_EQ(checksums.size(), 2u);
  std::string bytes;
  for (BlockChecksum checksum : checksums) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(checksum >> (8 * i)));
  }
  EXPECT_EQ(page.chunks[0].digest, ChecksumOf(Slice::CopyOf(bytes).span()));
}

TEST_F(GroupTest, DigestIsOfTheBytesAndNotOfTheirPlace) {
  std::string bytes = Pattern(1, 40 * kBlock);
  bytes.replace(4 * kBlock, 6 * kBlock, std::string(6 * kBlock, '\0'));
  s.MustWrite(kChunk, 0, bytes);
  std::uint64_t digest = DigestIn(s, kChunk);

  SimStore other(2);
  // In another order, over other bytes; some of it in the index, zeros as a hole, and as bytes in the index.
  other.MustWrite(ChunkId(9), 0, Pattern(9, 10 * kBlock));
  other.MustWrite(kChunk, 0, Pattern(3, 40 * kBlock));
  for (std::uint32_t at = 36; at > 0; at -= 4) {
    other.MustWrite(kChunk, at * kBlock, std::string_view(bytes).substr(at * kBlock, 4 * kBlock), at % 8 == 0);
  }
  EXPECT_NE(DigestIn(other, kChunk), digest) << "the first four blocks are missing";
  other.MustWrite(kChunk, 0, std::string_view(bytes).substr(0, 4 * kBlock), true);
  EXPECT_EQ(DigestIn(other, kChunk), digest);
  other.Settle();
  EXPECT_EQ(DigestIn(other, kChunk), digest) << "and moved to its place";
  ASSERT_TRUE(other.Zero(kChunk, 5 * kBlock, 2 * kBlock).has_value());
  EXPECT_EQ(DigestIn(other, kChunk), digest) << "zeros again";
  other.MustWrite(kChunk, 5 * kBlock + 7, "x");
  EXPECT_NE(DigestIn(other, kChunk), digest);
}

TEST_F(GroupTest, DigestSeesTheLengthInBlocks) {
  s.MustWrite(kChunk, 0, Pattern(1, kBlock));
  std::uint64_t digest = DigestIn(s, kChunk);
  AdoptChunk longer;
  longer.chunk = kChunk;
  longer.pg = kPg;
  longer.exists = true;
  longer.length_bytes = 2 * kBlock;
  ASSERT_TRUE(s.Adopt(longer).has_value());
  EXPECT_NE(DigestIn(s, kChunk), digest);
}

TEST_F(GroupTest, DigestReadsNoData) {
  s.MustWrite(kChunk, 0, Pattern(1, 20 * kPage));
  s.platter().FailReads(1'000'000);
  EXPECT_NE(DigestIn(s, kChunk), 0u);
  Result<ChunkDigest> digest = s.Run(s.store().Digest(kChunk, 0, kPagesPerChunk));
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(digest->checksums.size(), 20 * kBlocksPerPage);
  s.platter().FailReads(0);
}

TEST_F(GroupTest, DigestOfPagesIsWhatReadSays) {
  s.MustWrite(kChunk, 2 * kPage, Pattern(1, 3 * kPage + 5));
  s.MustWrite(kChunk, 3 * kPage, Pattern(2, kBlock), true);
  ASSERT_TRUE(s.Zero(kChunk, 3 * kPage + kBlock, kBlock).has_value());
  for (std::uint32_t first = 0; first < 8; ++first) {
    for (std::uint32_t count : {1u, 2u, 7u}) {
      Result<ChunkDigest> digest = s.Run(s.store().Digest(kChunk, first, count));
      Result<ChunkRead> read = s.Run(s.store().Read(kChunk, first * kPage, count * kPage));
      ASSERT_TRUE(digest.has_value() && read.has_value());
      EXPECT_TRUE(digest->exists);
      EXPECT_EQ(digest->length_bytes, 5 * kPage + 5);
      EXPECT_EQ(digest->checksums, read->checksums) << first << " + " << count;
    }
  }
}

TEST_F(GroupTest, DigestOfNothing) {
  Result<ChunkDigest> digest = s.Run(s.store().Digest(kChunk, 0, 64));
  ASSERT_TRUE(digest.has_value());
  EXPECT_FALSE(digest->exists);
  EXPECT_TRUE(digest->checksums.empty());
  EXPECT_EQ(s.Run(s.store().Digest(kChunk, 0, 0)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Run(s.store().Digest(kChunk, 1024, 1)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Run(s.store().Digest(kChunk, 1000, 25)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.Run(s.store().Digest(kChunk, 5, UINT32_MAX)).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gabion
