// Reads of chunks whose first copy is slow.
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <memory>
#include <optional>

#include "fs-client/io/chunk_calls.h"
#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ChunkPlace kReadPlace{ChunkId(71), PgId(1)};

class ChunkReadTest : public CoreFixture {
 protected:
  ChunkReadTest() {
    chunk1_.chunks[71] = chunk2_.chunks[71] = std::string(kBlockBytes, 'x');
    EXPECT_TRUE(Load());  // the connections are there
    EXPECT_EQ(Asked(chunk2_), 0u);
  }

  bool Load() {
    const Result<Slice> read = Run(chunks_.Read(&loop_, kReadPlace, 0, kBlockBytes));
    return read.has_value() && read->size() == kBlockBytes && static_cast<char>(read->span()[0]) == 'x';
  }
  std::shared_ptr<std::optional<Result<Slice>>> BeginLoad() {
    auto store = [](Task<Result<Slice>> read, std::shared_ptr<std::optional<Result<Slice>>> to) -> Task<void> {
      Result<Slice> value = co_await std::move(read);
      to->emplace(std::move(value));
    };
    auto result = std::make_shared<std::optional<Result<Slice>>>();
    tasks_.Spawn(here_.env().executor, store(chunks_.Read(&loop_, kReadPlace, 0, kBlockBytes), result));
    return result;
  }
  static std::size_t Asked(const FakeChunkserver& server) { return server.calls(proto::METHOD_READ_CHUNK); }
  /// Answers of the primary wait on the wire.
  void Clog() { world_.network().Block("chunk1", "test"); }
  void Unclog() { world_.network().Unblock("chunk1", "test"); }
};

TEST_F(ChunkReadTest, AnotherCopyAnswersForASlowOne) {
  Clog();
  const TimePoint begin = loop_.Now();
  EXPECT_TRUE(Load());
  EXPECT_LT(loop_.Now() - begin, milliseconds(500));
  EXPECT_EQ(Asked(chunk2_), 1u);
}

TEST_F(ChunkReadTest, TheOneThatLostIsNotSuspectedIfItAnswersInTime) {
  Clog();
  EXPECT_TRUE(Load());
  world_.RunFor(seconds(1));
  Unclog();
  world_.RunFor(seconds(3));
  EXPECT_FALSE(loop_.Suspected(ServerId(1)));
  EXPECT_TRUE(Load());
  EXPECT_EQ(Asked(chunk1_), 3u);
  EXPECT_EQ(Asked(chunk2_), 1u);
}

TEST_F(ChunkReadTest, TheOneThatLostIsSuspectedWhenItsTimeIsOver) {
  Clog();
  EXPECT_TRUE(Load());
  world_.RunFor(milliseconds(1500));
  EXPECT_FALSE(loop_.Suspected(ServerId(1)));
  world_.RunFor(seconds(1));
  EXPECT_TRUE(loop_.Suspected(ServerId(1)));
  EXPECT_TRUE(Load());
  EXPECT_EQ(Asked(chunk1_), 2u);
  Unclog();
}

TEST_F(ChunkReadTest, HedgesStayWithinTheirBudget) {
  Clog();
  std::vector<std::shared_ptr<std::optional<Result<Slice>>>> reads;
  for (int i = 0; i < 100; ++i) reads.push_back(BeginLoad());
  world_.RunFor(seconds(1));
  EXPECT_EQ(Asked(chunk2_), static_cast<std::size_t>(HedgeBudget::kBurst));
  EXPECT_EQ(Asked(chunk1_), 101u);
  world_.RunFor(seconds(2));  // whoever waited in vain goes on to the other copy
  EXPECT_EQ(Asked(chunk2_), 100u);
  for (const auto& read : reads) EXPECT_TRUE(read->has_value() && (*read)->has_value());
  Unclog();
}

TEST_F(ChunkReadTest, BadCopyDoesNotWinTheRace) {
  chunk2_.spoilt.insert(71);
  Clog();
  auto read = BeginLoad();
  world_.RunFor(seconds(1));
  EXPECT_EQ(Asked(chunk2_), 1u);
  EXPECT_FALSE(read->has_value());
  Unclog();
  world_.RunFor(milliseconds(100));
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE((*read)->has_value());
}

TEST_F(ChunkReadTest, ThirdCopyIsAskedOnceTheSecondHasFailed) {
  FakeChunkserver chunk3(world_.AddMachine("chunk3"));
  chunk3.Start();
  chunk3.chunks[71] = chunk1_.chunks[71];
  meta_.SetCluster(3);
  Run(session_.RefreshMap(&loop_, session_.map()->version()));
  chunk2_.FailNext(proto::METHOD_READ_CHUNK, ErrorCode::kUnavailable);
  Clog();
  const TimePoint begin = loop_.Now();
  EXPECT_TRUE(Load());
  EXPECT_LT(loop_.Now() - begin, milliseconds(500));
  EXPECT_EQ(Asked(chunk2_), 1u);
  EXPECT_EQ(Asked(chunk3), 1u);
  EXPECT_FALSE(loop_.Suspected(ServerId(2))) << "it may have sent us to the primary";
  Unclog();
  Run(loop_.Stop());
  Run(chunk3.Stop());
}

TEST_F(ChunkReadTest, StaleMapIsRefreshedThoughTheFirstCopyIsSlow) {
  chunk1_.epoch = chunk2_.epoch = 2;
  meta_.map().set_version(meta_.map().version() + 1);
  meta_.map().mutable_pgs(0)->set_epoch(2);
  Clog();
  const auto read = BeginLoad();
  world_.RunFor(seconds(1));
  EXPECT_EQ(session_.map()->version(), meta_.map().version());
  // The first call of the old map is under way, and the new map's first: there is no third one.
  EXPECT_EQ(Asked(chunk1_), 3u);
  EXPECT_EQ(Asked(chunk2_), 1u);
  world_.RunFor(seconds(2));
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE((*read)->has_value());
  EXPECT_EQ(Asked(chunk2_), 2u);
  Unclog();
}

TEST_F(ChunkReadTest, LoneCopyIsWaitedFor) {
  meta_.SetCluster(1);
  Run(session_.RefreshMap(&loop_, session_.map()->version()));
  Clog();
  const auto read = BeginLoad();
  world_.RunFor(seconds(4));
  EXPECT_FALSE(read->has_value());
  Unclog();
  world_.RunFor(milliseconds(100));
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ(Asked(chunk1_), 2u);
}

TEST_F(ChunkReadTest, InterruptEndsAReadThatNobodyAnswers) {
  Clog();
  world_.network().Block("chunk2", "test");
  std::optional<ErrorCode> ended;
  auto interrupt = std::make_shared<asio::cancellation_signal>();
  auto call = [](ChunkCalls& chunks, ClientLoop* loop, std::optional<ErrorCode>& code) -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    const Result<Slice> read = co_await chunks.Read(loop, kReadPlace, 0, kBlockBytes);
    code = read ? ErrorCode::kOk : read.error().code();
  };
  asio::co_spawn(here_.env().executor, call(chunks_, &loop_, ended),
                 asio::bind_cancellation_slot(interrupt->slot(), [interrupt](std::exception_ptr) {}));
  world_.RunFor(seconds(1));
  interrupt->emit(asio::cancellation_type::terminal);
  world_.RunFor(seconds(10));
  EXPECT_EQ(ended, ErrorCode::kCancelled);
  world_.network().MendAll();
}

}  // namespace
}  // namespace gabion
