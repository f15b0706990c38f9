#include "fs-client/io/chunk_calls.h"

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

const ChunkPlace kPlace{ChunkId(70), PgId(1)};

class ChunkCallsTest : public CoreFixture {
 protected:
  Result<Epoch> Store(const std::string& bytes, bool sync = false) {
    Slice slice = Slice::CopyOf(bytes);
    std::vector<BlockChecksum> sums = PieceChecksums(0, slice.span());
    const ChunkCalls::SendLimit may_send_until = [this] { return may_send_until_; };
    return Run(chunks_.Write(&loop_, kPlace, 0, Payload(slice), sums, sync, may_send_until));
  }
  TimePoint may_send_until_{INT64_MAX};

  Result<Slice> Load() { return Run(chunks_.Read(&loop_, kPlace, 0, kBlockBytes)); }
};

TEST_F(ChunkCallsTest, WritesGoToThePrimary) {
  ASSERT_TRUE(Store("bytes", true).has_value());
  EXPECT_EQ(chunk1_.chunks[70], "bytes");
  EXPECT_EQ(chunk1_.write_syncs, std::vector<bool>{true});
  EXPECT_TRUE(chunk2_.chunks.empty());
}

TEST_F(ChunkCallsTest, NothingIsSentWithoutLeave) {
  may_send_until_ = loop_.Now();
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kLeaseLost);
  EXPECT_TRUE(chunk1_.chunks.empty());
}

TEST_F(ChunkCallsTest, NothingIsSentWhenTheConnectionComesTooLate) {
  world_.network().Cut("test", "chunk1");
  auto mend = [](Env& env, SimNetwork& network) -> Task<void> {
    co_await env.clock.SleepFor(std::chrono::seconds(4));
    network.MendAll();
  };
  tasks_.Spawn(here_.env().executor, mend(here_.env(), world_.network()));
  may_send_until_ = loop_.Now() + std::chrono::seconds(2);
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kLeaseLost);
  world_.RunFor(std::chrono::seconds(10));
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 0u);
}

TEST_F(ChunkCallsTest, SaysHowOftenTheSessionWasEvicted) {
  ASSERT_TRUE(Store("bytes").has_value());
  EXPECT_EQ(chunk1_.last_sender, (std::pair<std::uint64_t, std::uint32_t>{7, meta_.evictions}));
}

TEST_F(ChunkCallsTest, WhatAFencedServerRefusesIsTheCallersIfItIsOfAFile) {
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kLeaseLost);
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kLeaseLost);
  chunk1_.On<proto::TrimChunkRequest, proto::TrimChunkReply>(
      proto::METHOD_TRIM_CHUNK, [](const proto::TrimChunkRequest&) { return proto::TrimChunkReply(); });
  chunk1_.FailNext(proto::METHOD_TRIM_CHUNK, ErrorCode::kLeaseLost);
  EXPECT_TRUE(Run(chunks_.Trim(&loop_, kPlace, 0, 1)).has_value());
}

TEST_F(ChunkCallsTest, StaleEpochFetchesTheMap) {
  chunk1_.epoch = 2;
  meta_.map().set_version(meta_.map().version() + 1);
  meta_.map().mutable_pgs(0)->set_epoch(2);
  ASSERT_TRUE(Store("bytes").has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_GET_CLUSTER_MAP), 1u);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 2u);
}

TEST_F(ChunkCallsTest, FollowsThePrimary) {
  world_.machine("chunk1").KillProcess();
  auto take_over = [](Env& env, FakeMetaserver& meta) -> Task<void> {
    co_await env.clock.SleepFor(std::chrono::seconds(40));
    meta.map().set_version(meta.map().version() + 1);
    meta.map().mutable_pgs(0)->set_primary(2);
  };
  tasks_.Spawn(here_.env().executor, take_over(here_.env(), meta_));
  ASSERT_TRUE(Store("bytes").has_value());
  EXPECT_EQ(chunk2_.chunks[70], "bytes");
}

TEST_F(ChunkCallsTest, FullDiskIsToldOnceThereWasTimeForAnotherMember) {
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kNoSpace, 100);
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kNoSpace);
  EXPECT_GE(world_.elapsed(), std::chrono::seconds(5));
  const std::size_t calls = chunk1_.calls(proto::METHOD_WRITE_CHUNK);
  EXPECT_GT(calls, 3u);
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kNoSpace);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), calls + 1) << "the next one is told at once";
}

TEST_F(ChunkCallsTest, FullMemberThatIsReplacedIsAPause) {
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kNoSpace, 3);
  ASSERT_TRUE(Store("bytes").has_value());
  EXPECT_EQ(chunk1_.chunks[70], "bytes");
}

TEST_F(ChunkCallsTest, SoftMountGivesUp) {
  MetaSession::Options options;
  options.volume = "home";
  options.soft = std::chrono::seconds(20);
  MetaSession session({&loop_}, options, files_, locks_, leases_, memory_, tasks_);
  ASSERT_TRUE(Run(session.Open(loop_.Now() + std::chrono::seconds(5))).has_value());
  ChunkCalls chunks(session);
  chunk1_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable, 1000);
  chunk2_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable, 1000);
  const TimePoint begin = loop_.Now();
  const Result<Slice> read = Run(chunks.Read(&loop_, kPlace, 0, kBlockBytes));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), ErrorCode::kIo);
  EXPECT_NE(read.error().message().find("soft"), std::string::npos) << read.error().message();
  EXPECT_GE(loop_.Now() - begin, std::chrono::seconds(20));
  EXPECT_LE(loop_.Now() - begin, std::chrono::seconds(25));
  world_.RunFor(std::chrono::seconds(5));  // who looks after waiting calls notices that there are none, and ends
}

TEST_F(ChunkCallsTest, RetriesAreNoStorm) {
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kUnavailable, 1000);
  auto give_up = [](Env& env, MetaSession& session) -> Task<void> {
    co_await env.clock.SleepFor(std::chrono::seconds(60));
    session.StopWaiting();
  };
  tasks_.Spawn(here_.env().executor, give_up(here_.env(), session_));
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kCancelled);
  EXPECT_LE(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 130u);
}

TEST_F(ChunkCallsTest, BrokenDiskIsNotTriedForEver) {
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kIo, 1000);
  EXPECT_EQ(Store("bytes").error().code(), ErrorCode::kIo);
}

TEST_F(ChunkCallsTest, LargeFilesAreSyncedInPieces) {
  std::vector<UnsyncedChunk> chunks;
  for (std::uint64_t id = 1; id <= 10'000; ++id) chunks.push_back({{ChunkId(id), PgId(1)}, Epoch(1)});
  std::size_t synced = 0;
  chunk1_.On<proto::SyncChunksRequest, proto::SyncChunksReply>(
      proto::METHOD_SYNC_CHUNKS, [&synced](const proto::SyncChunksRequest& request) -> Result<proto::SyncChunksReply> {
        synced += static_cast<std::size_t>(request.targets_size());
        return proto::SyncChunksReply();
      });
  ASSERT_TRUE(Run(chunks_.Sync(&loop_, chunks)).has_value());
  EXPECT_EQ(synced, 10'000u);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_SYNC_CHUNKS), 3u);
}

TEST_F(ChunkCallsTest, TellsWhatWasLostBeforeItWasSynced) {
  Result<Epoch> before = Store("bytes");
  ASSERT_TRUE(before.has_value());
  chunk1_.epoch = 2;
  meta_.map().set_version(meta_.map().version() + 1);
  meta_.map().mutable_pgs(0)->set_epoch(2);
  meta_.map().mutable_pgs(0)->set_lost_before_epoch(2);
  Result<Epoch> after = Store("bytes");
  ASSERT_TRUE(after.has_value());
  std::vector<UnsyncedChunk> chunks{{kPlace, *before}};
  Result<std::vector<ChunkPlace>> lost = Run(chunks_.Sync(&loop_, chunks));
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(*lost, std::vector<ChunkPlace>{kPlace});
  chunks = {{kPlace, *after}, {kPlace, Epoch()}};
  lost = Run(chunks_.Sync(&loop_, chunks));
  ASSERT_TRUE(lost.has_value());
  EXPECT_TRUE(lost->empty());
}

TEST_F(ChunkCallsTest, ReadsThePrimary) {
  chunk1_.chunks[70] = std::string(kBlockBytes, 'x');
  Result<Slice> read = Load();
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->size(), kBlockBytes);
  EXPECT_EQ(chunk2_.calls(proto::METHOD_READ_CHUNK), 0u);
}

TEST_F(ChunkCallsTest, SpoiltBlockIsReadElsewhere) {
  chunk1_.chunks[70] = chunk2_.chunks[70] = std::string(kBlockBytes, 'x');
  chunk1_.spoilt.insert(70);
  Result<Slice> read = Load();
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(static_cast<char>(read->span()[0]), 'x');
  EXPECT_EQ(chunk2_.calls(proto::METHOD_READ_CHUNK), 1u);
}

TEST_F(ChunkCallsTest, WithoutAGoodCopyThereIsAnError) {
  chunk1_.chunks[70] = chunk2_.chunks[70] = std::string(kBlockBytes, 'x');
  chunk1_.spoilt.insert(70);
  chunk2_.spoilt.insert(70);
  EXPECT_EQ(Load().error().code(), ErrorCode::kIo);
}

TEST_F(ChunkCallsTest, ServerThatFailedIsAskedLast) {
  chunk1_.chunks[70] = chunk2_.chunks[70] = std::string(kBlockBytes, 'x');
  chunk1_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable);
  ASSERT_TRUE(Load().has_value());
  ASSERT_TRUE(Load().has_value());
  EXPECT_EQ(chunk1_.calls(proto::METHOD_READ_CHUNK), 1u);
  EXPECT_EQ(chunk2_.calls(proto::METHOD_READ_CHUNK), 2u);
}

TEST_F(ChunkCallsTest, GoneServersAreWaitedFor) {
  chunk1_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable, 5);
  chunk2_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable, 5);
  chunk1_.chunks[70] = chunk2_.chunks[70] = std::string(kBlockBytes, 'x');
  EXPECT_TRUE(Load().has_value());
}

}  // namespace
}  // namespace gabion
