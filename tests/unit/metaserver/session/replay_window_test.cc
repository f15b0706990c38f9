#include "metaserver/session/replay_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using Verdict = ReplayWindow::Verdict;

Verdict VerdictOf(const ReplayWindow& window, std::uint64_t seq, bool with_groups = false) {
  Result<ReplayWindow::Answer> answer = window.Check(OpSeq(seq), 0, with_groups);
  EXPECT_TRUE(answer.has_value()) << answer.error().ToString();
  return answer->verdict;
}

ErrorCode RefusalOf(const ReplayWindow& window, std::uint64_t seq, std::uint64_t acked_below = 0) {
  Result<ReplayWindow::Answer> answer = window.Check(OpSeq(seq), acked_below, false);
  return answer ? ErrorCode::kOk : answer.error().code();
}

TEST(ReplayWindowTest, KnowsWhatWasDone) {
  ReplayWindow window;
  EXPECT_EQ(VerdictOf(window, 1), Verdict::kNew);
  window.RecordStored(OpSeq(1));
  window.RecordOutcome(OpSeq(3), std::string("reply"), false);
  EXPECT_EQ(VerdictOf(window, 1), Verdict::kStored);
  EXPECT_EQ(VerdictOf(window, 2), Verdict::kNew);
  ASSERT_EQ(VerdictOf(window, 3), Verdict::kRemembered);
  EXPECT_EQ(std::get<std::string>(*window.Check(OpSeq(3), 0, false)->outcome), "reply");
}

TEST(ReplayWindowTest, RefusesWhatMakesNoSense) {
  ReplayWindow window;
  EXPECT_EQ(RefusalOf(window, 0), ErrorCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(window, 5, 6), ErrorCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(window, 5, 5), ErrorCode::kOk);
  window.Acknowledge(10);
  EXPECT_EQ(RefusalOf(window, 9), ErrorCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(window, 10), ErrorCode::kOk);
  EXPECT_EQ(RefusalOf(window, 10 + ReplayWindow::kMaxWidth - 1), ErrorCode::kOk);
  EXPECT_EQ(RefusalOf(window, 10 + ReplayWindow::kMaxWidth), ErrorCode::kOverloaded);
}

TEST(ReplayWindowTest, ADenialMayBeTriedAgainWithGroups) {
  ReplayWindow window;
  window.RecordOutcome(OpSeq(1), Error(ErrorCode::kPermissionDenied, "no"), false);
  EXPECT_EQ(VerdictOf(window, 1, false), Verdict::kRemembered);
  EXPECT_EQ(VerdictOf(window, 1, true), Verdict::kNew);
  window.RecordOutcome(OpSeq(1), Error(ErrorCode::kPermissionDenied, "no"), true);
  EXPECT_EQ(VerdictOf(window, 1, true), Verdict::kRemembered);
  window.RecordOutcome(OpSeq(2), Error(ErrorCode::kNotFound, "no"), false);
  EXPECT_EQ(VerdictOf(window, 2, true), Verdict::kRemembered);
}

TEST(ReplayWindowTest, PurgesStoredRepliesThatWereAcknowledged) {
  ReplayWindow window;
  for (std::uint64_t seq = 1; seq <= 20; ++seq) window.RecordStored(OpSeq(seq));
  EXPECT_TRUE(window.PurgeCandidates(1).empty());
  const std::vector<OpSeq> first = window.PurgeCandidates(15);
  EXPECT_EQ(first.size(), ReplayWindow::kMaxPurgePerCommit);
  window.RecordPurged(first);
  const std::vector<OpSeq> second = window.PurgeCandidates(15);
  EXPECT_EQ(second.size(), 14 - first.size());
  EXPECT_EQ(second.front(), OpSeq(first.size() + 1));
}

TEST(ReplayWindowTest, RemembersABoundedNumberOfOutcomes) {
  ReplayWindow window;
  for (std::uint64_t seq = 1; seq <= ReplayWindow::kMaxRemembered + 1; ++seq)
    window.RecordOutcome(OpSeq(seq), std::string(), false);
  EXPECT_EQ(window.remembered_count(), ReplayWindow::kMaxRemembered);
  EXPECT_EQ(RefusalOf(window, 1), ErrorCode::kStale) << "executed twice";
  EXPECT_EQ(VerdictOf(window, 2), Verdict::kRemembered);
}

TEST(ReplayWindowTest, FailuresThatAskForAnotherTryAreNotFinal) {
  for (ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kOverloaded, ErrorCode::kBusy, ErrorCode::kWouldBlock,
                         ErrorCode::kSessionExpired})
    EXPECT_FALSE(IsFinalFailure(code)) << ToString(code);
  for (ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kExists, ErrorCode::kPermissionDenied, ErrorCode::kNoSpace})
    EXPECT_TRUE(IsFinalFailure(code)) << ToString(code);
}

}  // namespace
}  // namespace gabion
