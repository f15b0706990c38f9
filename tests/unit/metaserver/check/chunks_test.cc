// Files against what chunkservers have stored.
#include <gmock/gmock.h>

#include "tests/unit/metaserver/check/check_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ChunkCheckTest : public testing::Test {
 protected:
  ChunkCheckTest() {
    file_ = client_.File(kRootIno, "file");
    for (std::uint64_t index = 0; index < 3; ++index) bench_.WriteChunk(client_, file_, index);
    chunks_ = client_.Chunks(file_, 0, 3);
  }

  std::string Name(const char* kind, std::uint64_t number) { return std::string(kind) + " " + std::to_string(number); }
  PgId PgOf(std::uint64_t chunk) { return bench_.chunkservers().stored[ServerId(1)].at(ChunkId(chunk)); }
  void Lose(std::uint32_t server, std::uint64_t chunk) {
    bench_.chunkservers().stored[ServerId(server)].erase(ChunkId(chunk));
  }

  CheckBench bench_;
  MetaClient client_{bench_.meta()};
  Ino file_;
  std::vector<std::uint64_t> chunks_;
};

TEST_F(ChunkCheckTest, MissingChunkIsNamedWithItsBytes) {
  for (std::uint32_t server : {1, 2, 3}) Lose(server, chunks_[1]);
  const proto::CheckStatusReply status = bench_.Check();
  ASSERT_THAT(Kinds(status), ElementsAre(Name("MISSING_CHUNK", file_.value())));
  const proto::CheckFault& fault = status.faults(0);
  EXPECT_EQ(fault.path(), "/file");
  EXPECT_EQ(fault.first_byte(), kChunkBytes);
  EXPECT_EQ(fault.end_byte(), 2 * kChunkBytes);
  EXPECT_EQ(fault.chunk_id(), chunks_[1]);
  EXPECT_EQ(fault.repair(), proto::CHECK_REPAIR_IMPOSSIBLE);
  EXPECT_EQ(bench_.Repair().repaired(), 0u);
}

TEST_F(ChunkCheckTest, LastChunkEndsWithTheFile) {
  for (std::uint32_t server : {1, 2, 3}) Lose(server, chunks_[2]);
  EXPECT_EQ(bench_.Check().faults(0).end_byte(), 2 * kChunkBytes + 4096);
}

TEST_F(ChunkCheckTest, MissingCopyIsNamedWithItsServer) {
  Lose(2, chunks_[0]);
  const proto::CheckStatusReply status = bench_.Check("home");
  ASSERT_THAT(Kinds(status), ElementsAre(Name("MISSING_COPY", file_.value())));
  EXPECT_THAT(status.faults(0).server_ids(), ElementsAre(2));
}

TEST_F(ChunkCheckTest, WhatWasNeverWrittenIsNotMissing) {
  const Ino sparse = client_.File(kRootIno, "sparse");
  ASSERT_TRUE(client_.Allocate(sparse, 0, 8).has_value());
  ASSERT_TRUE(client_.CommitWrite(sparse, 8 * kChunkBytes).has_value());
  const proto::CheckStatusReply status = bench_.Check();
  EXPECT_THAT(Kinds(status), IsEmpty());
  EXPECT_EQ(status.unwritten_chunks(), 8u);
}

TEST_F(ChunkCheckTest, WriteUnderWayIsNotMissingACopy) {
  const Ino growing = client_.File(kRootIno, "growing");
  const std::uint64_t chunk = client_.Chunks(growing, 0, 1)[0];
  const PgId pg(client_.AttrOf(growing).first_chunk().pg_id());
  bench_.chunkservers().stored[ServerId(1)][ChunkId(chunk)] = pg;
  bench_.Start();
  bench_.meta().world().RunFor(std::chrono::milliseconds(800));
  ASSERT_TRUE(bench_.IsBusy());
  for (std::uint32_t server : {2, 3}) bench_.chunkservers().stored[ServerId(server)][ChunkId(chunk)] = pg;
  EXPECT_THAT(Kinds(bench_.Await()), IsEmpty());
}

TEST_F(ChunkCheckTest, CopyThatStaysAwayIsMissing) {
  const Ino old = client_.File(kRootIno, "of an older client");
  const std::uint64_t chunk = client_.Chunks(old, 0, 1)[0];
  bench_.chunkservers().stored[ServerId(1)][ChunkId(chunk)] = PgId(client_.AttrOf(old).first_chunk().pg_id());
  const proto::CheckStatusReply status = bench_.Check();
  ASSERT_THAT(Kinds(status), ElementsAre(Name("MISSING_COPY", old.value())));
  EXPECT_THAT(status.faults(0).server_ids(), testing::UnorderedElementsAre(2, 3));
}

TEST_F(ChunkCheckTest, OrphanBecomesGarbage) {
  bench_.chunkservers().stored[ServerId(3)][ChunkId(77'000'000)] = PgOf(chunks_[0]);
  const proto::CheckStatusReply status = bench_.Check();
  ASSERT_THAT(Kinds(status), ElementsAre("ORPHAN_CHUNK 77000000"));
  EXPECT_THAT(status.faults(0).server_ids(), ElementsAre(3));
  EXPECT_THAT(Kinds(bench_.Check("home")), IsEmpty()) << "other volumes' files are not looked at";
  bench_.Check();
  EXPECT_EQ(bench_.Repair().repaired(), 1u);
  EXPECT_EQ(bench_.meta().Garbage().count(77'000'000), 3u) << "one a member";
  EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
}

TEST_F(ChunkCheckTest, GarbageIsNoOrphan) {
  ASSERT_TRUE(client_.Unlink(kRootIno, "file").has_value());
  EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
  for (std::uint64_t chunk : chunks_) Lose(1, chunk);
  ASSERT_TRUE(bench_.meta().Heartbeat(1, 1, chunks_).has_value());
  EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
}

TEST_F(ChunkCheckTest, ServerThatDoesNotAnswerIsSaidAndNotBlamed) {
  bench_.chunkservers().silent.insert(ServerId(2));
  const proto::CheckStatusReply status = bench_.Check();
  EXPECT_THAT(Kinds(status), IsEmpty());
  ASSERT_EQ(status.unchecked_size(), 1);
  EXPECT_THAT(status.unchecked(0), testing::HasSubstr("chunkserver 2"));
}

}  // namespace
}  // namespace gabion
