#include "fs-client/session/meta_session.h"

#include <gmock/gmock.h>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

class MetaSessionTest : public CoreFixture {
 protected:
  Result<void> OpenAnother(const std::string& volume, const Endpoint& metaserver) {
    ClientLoop loop(here_.env(), {metaserver}, "");
    OpenFiles files;
    HeldLocks locks(files);
    MetaSession::Options options;
    options.volume = volume;
    MetaSession session({&loop}, options, files, locks, leases_, memory_, tasks_);
    Result<void> opened = Run(session.Open(loop.Now() + std::chrono::seconds(10)));
    Run(loop.Stop());
    return opened;
  }
};

TEST_F(MetaSessionTest, KnowsWhatComesWithTheSession) {
  EXPECT_EQ(session_.state()->id, SessionId(7));
  EXPECT_EQ(session_.root_ino(), Ino(1));
  EXPECT_EQ(session_.map()->version(), meta_.map().version());
  ASSERT_NE(session_.map()->FindServer(ServerId(2)), nullptr);
}

TEST_F(MetaSessionTest, SaysWhyItCannotOpen) {
  EXPECT_EQ(OpenAnother("nosuch", {"meta", FakeMetaserver::kPort}).error().code(), ErrorCode::kNotFound);
  Result<void> unreachable = OpenAnother("home", {"meta", 9});
  EXPECT_EQ(unreachable.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(unreachable.error().message(), testing::HasSubstr("check its address"));
}

TEST_F(MetaSessionTest, FetchesIdsAheadSoThatNobodyWaits) {
  // 100 came with the session, which is low: the first taker sets off the fetch, and does not wait for it.
  EXPECT_TRUE(session_.TryTakeFileIds(&loop_).has_value());
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(meta_.calls(proto::METHOD_DELEGATE_IDS), 1u);
  for (std::uint64_t i = 0; i < DelegatedIds::kBatch / 4; ++i) {
    ASSERT_TRUE(session_.TryTakeFileIds(&loop_).has_value());
  }
  EXPECT_EQ(meta_.calls(proto::METHOD_DELEGATE_IDS), 1u);
}

TEST_F(MetaSessionTest, WaitsForIdsWhenThereAreNone) {
  while (session_.TryTakeFileIds(&loop_)) {
  }
  meta_.FailNext(proto::METHOD_DELEGATE_IDS, ErrorCode::kUnavailable, 2);
  Result<std::vector<ChunkId>> ids = Run(session_.TakeChunkIds(&loop_, 3));
  ASSERT_TRUE(ids.has_value());
  EXPECT_EQ(ids->size(), 3u);
}

TEST_F(MetaSessionTest, RenewsAndLearnsNewMaps) {
  session_.StartRenewing();
  meta_.SetCluster(1);
  world_.RunFor(std::chrono::seconds(11));
  EXPECT_GE(meta_.calls(proto::METHOD_RENEW_SESSION), 2u);
  EXPECT_EQ(session_.map()->FindServer(ServerId(2)), nullptr);
}

TEST_F(MetaSessionTest, TellsHowMuchIsDirtyWhenItRenews) {
  std::optional<std::uint64_t> told;
  meta_.On<proto::RenewSessionRequest, proto::RenewSessionReply>(
      proto::METHOD_RENEW_SESSION,
      [&told](const proto::RenewSessionRequest& request) -> Result<proto::RenewSessionReply> {
        if (request.has_dirty_bytes()) told = request.dirty_bytes();
        return proto::RenewSessionReply();
      });
  session_.StartRenewing();
  OpenHandlePtr handle = OpenFile();
  Write(handle, 0, "seven b");
  world_.RunFor(std::chrono::seconds(4));
  EXPECT_EQ(told, 7u);
  Flush(handle);
  world_.RunFor(std::chrono::seconds(4));
  EXPECT_EQ(told, 0u);
}

TEST_F(MetaSessionTest, NamesOpenHandlesWhenItResumes) {
  OpenHandlePtr handle = OpenFile();
  std::vector<proto::OpenHandle> reclaimed;
  meta_.On<proto::OpenSessionRequest, proto::OpenSessionReply>(
      proto::METHOD_OPEN_SESSION,
      [&reclaimed](const proto::OpenSessionRequest& request) -> Result<proto::OpenSessionReply> {
        reclaimed.assign(request.reclaim().begin(), request.reclaim().end());
        proto::OpenSessionReply reply;
        reply.set_session_id(request.session_id());
        reply.set_ttl_ms(10'000);
        for (const auto& open : request.reclaim()) reply.add_lost_handles(open.handle_id());
        return reply;
      });
  std::shared_ptr<OpTracker> ops = session_.state()->ops;
  ASSERT_TRUE(Run(session_.Recover(&loop_, session_.state()->generation, Patience::Endless())).has_value());
  ASSERT_EQ(reclaimed.size(), 1u);
  EXPECT_EQ(reclaimed[0].handle_id(), handle->id.value());
  EXPECT_EQ(reclaimed[0].ino(), 50u);
  EXPECT_TRUE(handle->lost);
  EXPECT_EQ(session_.state()->ops, ops) << "a resumed session goes on counting";
}

}  // namespace
}  // namespace gabion
