#include "fs-client/session/meta_call.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

class MetaCallTest : public CoreFixture {
 protected:
  MetaCallTest() {
    meta_.On<proto::UnlinkRequest, proto::UnlinkReply>(
        proto::METHOD_UNLINK, [this](const proto::UnlinkRequest& request) -> Result<proto::UnlinkReply> {
          seen_.push_back(request.op());
          return proto::UnlinkReply();
        });
  }

  Result<proto::UnlinkReply> Unlink(Caller caller = {}) {
    return Run(calls_.Mutate<proto::UnlinkReply>(&loop_, caller, proto::METHOD_UNLINK, proto::UnlinkRequest()));
  }

  std::vector<proto::OpHeader> seen_;
};

TEST_F(MetaCallTest, NamesCallerSessionAndOp) {
  ASSERT_TRUE(Unlink({1000, 100, 0}).has_value());
  ASSERT_TRUE(Unlink().has_value());
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[0].uid(), 1000u);
  EXPECT_EQ(seen_[0].gid(), 100u);
  EXPECT_EQ(seen_[0].session_id(), 7u);
  EXPECT_EQ(seen_[0].volume_id(), 3u);
  EXPECT_EQ(seen_[0].seq(), 1u);
  EXPECT_EQ(seen_[1].seq(), 2u);
  EXPECT_EQ(seen_[1].acked_below(), 2u);
}

TEST_F(MetaCallTest, RepeatsUnderTheSameNumberUntilAnswered) {
  meta_.LoseNextReplies(proto::METHOD_UNLINK, 3);
  ASSERT_TRUE(Unlink().has_value());
  ASSERT_EQ(seen_.size(), 4u);
  for (const proto::OpHeader& op : seen_) EXPECT_EQ(op.seq(), 1u);
}

TEST_F(MetaCallTest, TellsWhatIsForGood) {
  meta_.FailNext(proto::METHOD_UNLINK, ErrorCode::kNotFound);
  EXPECT_EQ(Unlink().error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(meta_.calls(proto::METHOD_UNLINK), 1u);
}

TEST_F(MetaCallTest, WaitsForAMetaserverThatRestarts) {
  SimMachine& machine = world_.machine("meta");
  machine.KillProcess();
  FakeMetaserver again(machine);
  again.On<proto::UnlinkRequest, proto::UnlinkReply>(
      proto::METHOD_UNLINK,
      [](const proto::UnlinkRequest&) -> Result<proto::UnlinkReply> { return proto::UnlinkReply(); });
  auto start_later = [](Env& env, FakeMetaserver& server) -> Task<void> {
    co_await env.clock.SleepFor(std::chrono::minutes(3));
    server.Start();
  };
  tasks_.Spawn(here_.env().executor, start_later(here_.env(), again));
  EXPECT_TRUE(Unlink().has_value());
  EXPECT_GE(world_.elapsed(), std::chrono::minutes(3));
  Run(again.Stop());
}

TEST_F(MetaCallTest, SoftMountGivesUp) {
  MetaSession::Options options;
  options.volume = "home";
  options.soft = std::chrono::seconds(20);
  MetaSession session({&loop_}, options, files_, locks_, leases_, memory_, tasks_);
  ASSERT_TRUE(Run(session.Open(loop_.Now() + std::chrono::seconds(5))).has_value());
  MetaCalls calls(session, leases_, nullptr);
  world_.machine("meta").KillProcess();
  const TimePoint begin = loop_.Now();
  const Result<proto::UnlinkReply> reply =
      Run(calls.Mutate<proto::UnlinkReply>(&loop_, Caller(), proto::METHOD_UNLINK, proto::UnlinkRequest()));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code(), ErrorCode::kIo);
  EXPECT_GE(loop_.Now() - begin, std::chrono::seconds(20));
  EXPECT_LE(loop_.Now() - begin, std::chrono::seconds(25));
}

TEST_F(MetaCallTest, OpensANewSessionForAnExpiredOne) {
  meta_.session_id = 0;
  meta_.On<proto::UnlinkRequest, proto::UnlinkReply>(
      proto::METHOD_UNLINK, [this](const proto::UnlinkRequest& request) -> Result<proto::UnlinkReply> {
        seen_.push_back(request.op());
        if (request.op().session_id() != meta_.session_id) return {ErrorCode::kSessionExpired, "gone"};
        return proto::UnlinkReply();
      });
  ASSERT_TRUE(Unlink().has_value());
  EXPECT_EQ(seen_.back().session_id(), meta_.session_id);
  EXPECT_EQ(seen_.back().seq(), 1u);
  EXPECT_EQ(meta_.sessions_opened, 2u);
}

TEST_F(MetaCallTest, EndsWhenTheMountStops) {
  world_.machine("meta").KillProcess();
  auto stop_later = [](Env& env, MetaSession& session) -> Task<void> {
    co_await env.clock.SleepFor(std::chrono::seconds(30));
    session.StopWaiting();
  };
  tasks_.Spawn(here_.env().executor, stop_later(here_.env(), session_));
  EXPECT_EQ(Unlink().error().code(), ErrorCode::kCancelled);
}

TEST_F(MetaCallTest, InterruptEndsWhatHasHadNoEffect) {
  world_.machine("meta").KillProcess();
  world_.RunFor(std::chrono::seconds(1));  // until the connection is known to be gone: nothing is sent over it
  Caller program{0, 0, 77};
  std::optional<ErrorCode> ended;
  auto interrupt = std::make_shared<asio::cancellation_signal>();
  auto call = [](MetaCalls& calls, ClientLoop* loop, Caller caller, std::optional<ErrorCode>& code) -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto reply = co_await calls.Mutate<proto::UnlinkReply>(loop, caller, proto::METHOD_UNLINK, proto::UnlinkRequest());
    code = reply ? ErrorCode::kOk : reply.error().code();
  };
  asio::co_spawn(here_.env().executor, call(calls_, &loop_, program, ended),
                 asio::bind_cancellation_slot(interrupt->slot(), [interrupt](std::exception_ptr) {}));
  world_.RunFor(std::chrono::seconds(20));
  EXPECT_FALSE(ended.has_value());
  interrupt->emit(asio::cancellation_type::terminal);
  world_.RunFor(std::chrono::seconds(40));
  EXPECT_EQ(ended, ErrorCode::kCancelled);
}

class Groups final : public GroupSource {
 public:
  std::vector<std::uint32_t> GroupsOf(const Caller&) override {
    ++asked;
    return {20, 30};
  }
  int asked = 0;
};

TEST_F(MetaCallTest, TriesOnceMoreWithGroups) {
  Groups groups;
  MetaCalls calls(session_, leases_, &groups);
  meta_.On<proto::UnlinkRequest, proto::UnlinkReply>(
      proto::METHOD_UNLINK, [this](const proto::UnlinkRequest& request) -> Result<proto::UnlinkReply> {
        seen_.push_back(request.op());
        if (request.op().groups_size() == 0) return {ErrorCode::kPermissionDenied, "not in the group"};
        return proto::UnlinkReply();
      });
  Caller user{1000, 100, 77};
  auto reply = Run(calls.Mutate<proto::UnlinkReply>(&loop_, user, proto::METHOD_UNLINK, proto::UnlinkRequest()));
  ASSERT_TRUE(reply.has_value());
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[1].groups_size(), 2);
  EXPECT_EQ(seen_[1].seq(), seen_[0].seq());
  EXPECT_EQ(groups.asked, 1);
}

}  // namespace
}  // namespace gabion
