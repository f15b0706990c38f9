#include "metaserver/cluster/session_fencer.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

using Fences = google::protobuf::RepeatedPtrField<proto::SessionFence>;

class SessionFencerTest : public testing::Test {
 protected:
  /// What the server is asked, as (session, evictions).
  std::map<std::uint64_t, std::uint32_t> Asked(std::uint32_t server) {
    Fences fences;
    fencer_.Ask(ServerId(server), fences);
    std::map<std::uint64_t, std::uint32_t> asked;
    for (const proto::SessionFence& fence : fences) asked[fence.session_id()] = fence.evictions();
    return asked;
  }
  void Confirm(std::uint32_t server, std::uint64_t session, std::uint32_t evictions) {
    Fences fenced;
    proto::SessionFence& fence = *fenced.Add();
    fence.set_session_id(session);
    fence.set_evictions(evictions);
    fencer_.Confirmed(ServerId(server), fenced);
  }

  SessionFencer fencer_;
};

TEST_F(SessionFencerTest, AllThatAreAliveHaveToConfirm) {
  fencer_.Begin(SessionId(7), 2, {ServerId(1), ServerId(2)});
  EXPECT_EQ(Asked(1), (std::map<std::uint64_t, std::uint32_t>{{7, 2}}));
  EXPECT_TRUE(Asked(3).empty());
  Confirm(1, 7, 2);
  EXPECT_TRUE(Asked(1).empty());
  EXPECT_FALSE(fencer_.IsDone(SessionId(7)));
  Confirm(3, 7, 2);
  EXPECT_EQ(fencer_.Awaited(SessionId(7)), std::set<ServerId>{ServerId(2)});
  Confirm(2, 7, 2);
  EXPECT_TRUE(fencer_.IsDone(SessionId(7)));
}

TEST_F(SessionFencerTest, AnOlderConfirmationCountsForNothing) {
  fencer_.Begin(SessionId(7), 2, {ServerId(1)});
  Confirm(1, 7, 1);
  Confirm(1, 8, 2);
  EXPECT_FALSE(fencer_.IsDone(SessionId(7)));
  Confirm(1, 7, 3);
  EXPECT_TRUE(fencer_.IsDone(SessionId(7)));
}

TEST_F(SessionFencerTest, WhoHasNoLeaseIsNotWaitedFor) {
  fencer_.Begin(SessionId(7), 1, {ServerId(1), ServerId(2)});
  fencer_.Begin(SessionId(8), 1, {ServerId(2)});
  fencer_.Departed(ServerId(2));
  EXPECT_TRUE(fencer_.IsDone(SessionId(8)));
  EXPECT_EQ(fencer_.Awaited(SessionId(7)), std::set<ServerId>{ServerId(1)});
  EXPECT_TRUE(Asked(2).empty());
}

TEST_F(SessionFencerTest, WhatHasEndedIsNotAskedFor) {
  fencer_.Begin(SessionId(7), 1, {ServerId(1)});
  fencer_.End(SessionId(7));
  EXPECT_TRUE(Asked(1).empty());
  EXPECT_TRUE(fencer_.IsDone(SessionId(7)));
}

}  // namespace
}  // namespace gabion
