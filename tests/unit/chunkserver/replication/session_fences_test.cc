#include "chunkserver/replication/session_fences.h"

#include <optional>

#include "tests/unit/chunkserver/background.h"
#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SessionFences::Sender By(std::uint64_t session, std::uint32_t evictions) {
  return {SessionId(session), evictions};
}

TEST(SessionFencesTest, WhatWasSentBeforeIsRefused) {
  SessionFences fences;
  EXPECT_EQ(CodeOf(fences.Check(By(7, 0))), ErrorCode::kOk);
  EXPECT_TRUE(fences.Fence(By(7, 2)));
  EXPECT_FALSE(fences.Fence(By(7, 2))) << "no news";
  EXPECT_FALSE(fences.Fence(By(7, 1))) << "nor is what came late";
  EXPECT_EQ(CodeOf(fences.Check(By(7, 0))), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(fences.Check(By(7, 1))), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(fences.Admit(By(7, 1))), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(fences.Check(By(7, 2))), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(fences.Check(By(7, 3))), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(fences.Check(By(6, 0))), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(fences.Check(By(8, 0))), ErrorCode::kOk);
}

TEST(SessionFencesTest, WhatIsUnderWayIsWaitedFor) {
  SessionFences fences;
  std::optional<Result<SessionFences::Token>> old, other, later;
  old.emplace(fences.Admit(By(7, 0)));
  other.emplace(fences.Admit(By(8, 0)));
  later.emplace(fences.Admit(By(7, 1)));
  fences.Fence(By(7, 1));
  EXPECT_FALSE(fences.IsQuiet(By(7, 1)));
  EXPECT_TRUE(fences.IsQuiet(By(6, 1)));
  old.reset();
  EXPECT_TRUE(fences.IsQuiet(By(7, 1)));
  EXPECT_FALSE(fences.IsQuiet(By(7, 2)));
  EXPECT_FALSE(fences.IsIdle());
  other.reset();
  later.reset();
  EXPECT_TRUE(fences.IsIdle());
}

TEST(SessionFencesTest, WhoHasNoSessionIsNotRefused) {
  SessionFences fences;
  fences.Fence(By(0, 5));
  EXPECT_EQ(CodeOf(fences.Check(By(0, 0))), ErrorCode::kOk);
}

TEST(SessionFencesTest, TheOldestAreForgotten) {
  SessionFences fences;
  for (std::uint64_t session = 1; session <= SessionFences::kMaxFences + 1; ++session) fences.Fence(By(session, 1));
  EXPECT_EQ(fences.size(), SessionFences::kMaxFences);
  EXPECT_EQ(CodeOf(fences.Check(By(1, 0))), ErrorCode::kOk);
  EXPECT_EQ(CodeOf(fences.Check(By(2, 0))), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(fences.Check(By(SessionFences::kMaxFences + 1, 0))), ErrorCode::kLeaseLost);
}

/// Of three chunkservers, which the metaserver asks to fence sessions.
class FencedServersTest : public testing::Test {
 protected:
  proto::WriteChunkRequest WriteBy(std::uint64_t session, std::uint32_t evictions, const std::string& bytes) {
    proto::WriteChunkRequest request = cluster_.WriteRequest(7, 0, bytes);
    request.mutable_target()->set_session_id(session);
    request.mutable_target()->set_session_evictions(evictions);
    return request;
  }
  ErrorCode Write(std::uint64_t session, std::uint32_t evictions) {
    const std::string bytes = Pattern(4096, 1);
    auto reply = cluster_.Call<proto::WriteChunkReply>(cluster_.primary(), proto::METHOD_WRITE_CHUNK,
                                                       WriteBy(session, evictions, bytes), bytes);
    return reply ? ErrorCode::kOk : reply.error().code();
  }
  void Fence(std::uint64_t session, std::uint32_t evictions) {
    proto::SessionFence& fence = cluster_.metaserver().fences.emplace_back();
    fence.set_session_id(session);
    fence.set_evictions(evictions);
  }
  bool IsFenced(int server) {
    const auto& said = cluster_.metaserver().heartbeats[static_cast<std::uint32_t>(server)].fenced();
    return !said.empty() && said.Get(0).session_id() == cluster_.metaserver().fences.front().session_id();
  }

  TestCluster cluster_;
};

TEST_F(FencedServersTest, TheyRefuseAndSaySo) {
  EXPECT_EQ(Write(5, 0), ErrorCode::kOk);
  Fence(5, 1);
  ASSERT_TRUE(cluster_.world().RunUntil([&] { return IsFenced(1) && IsFenced(2) && IsFenced(3); }, seconds(2)));
  EXPECT_EQ(Write(5, 0), ErrorCode::kLeaseLost);
  EXPECT_EQ(Write(5, 1), ErrorCode::kOk);
  EXPECT_EQ(Write(6, 0), ErrorCode::kOk);
  EXPECT_EQ(Write(0, 0), ErrorCode::kOk);
}

TEST_F(FencedServersTest, TheySaySoWhenNothingIsUnderWay) {
  cluster_.world().network().Block("cs1", "cs2");
  const std::string bytes = Pattern(4096, 1);
  BackgroundCall write(cluster_, 1, proto::METHOD_WRITE_CHUNK, WriteBy(5, 0, bytes), bytes, seconds(5));
  cluster_.world().RunFor(milliseconds(100));
  Fence(5, 1);
  cluster_.world().RunFor(seconds(2));
  EXPECT_FALSE(IsFenced(1)) << "it may still reach a member";
  EXPECT_TRUE(IsFenced(2));
  EXPECT_FALSE(write.done());
  cluster_.world().network().MendAll();
  EXPECT_TRUE(cluster_.world().RunUntil([&] { return IsFenced(1); }, seconds(10)));
  EXPECT_TRUE(write.done());
  write.Wait();
}

TEST_F(FencedServersTest, AServerThatWasWithoutALeaseHangsUpOnClients) {
  EXPECT_EQ(Write(5, 0), ErrorCode::kOk);
  RpcClient& client = cluster_.Client(1, 0);
  const std::uint64_t connections = client.connection_count();
  cluster_.metaserver().away = true;
  cluster_.world().RunFor(seconds(6));
  EXPECT_EQ(Write(5, 0), ErrorCode::kUnavailable);
  EXPECT_EQ(client.connection_count(), connections);
  cluster_.metaserver().away = false;
  for (int server = 1; server <= 3; ++server) ASSERT_TRUE(cluster_.WaitForLease(server));
  cluster_.WaitUntilServed();
  EXPECT_EQ(Write(5, 0), ErrorCode::kOk);
  EXPECT_GT(client.connection_count(), connections);
}

}  // namespace
}  // namespace gabion
