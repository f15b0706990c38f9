#include "common/rpc/call_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "common/rpc/backoff.h"
#include "common/rpc/loop_choice.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

constexpr TimePoint kNow{1'000'000'000};

class CallTableTest : public testing::Test {
 protected:
  PendingCall& Add(std::string header = "", Duration limit = milliseconds(100)) {
    PendingCall& call = calls_.emplace_back();
    call.frame.header = std::move(header);
    call.deadline = kNow + limit;
    table_->Add(call);
    return call;
  }
  std::vector<std::string> Take(std::size_t max_frames, std::size_t max_bytes) {
    std::vector<std::string> headers;
    for (const Frame& frame : table_->TakeUnsent(kNow, max_frames, max_bytes)) headers.push_back(frame.header);
    return headers;
  }

  std::deque<PendingCall> calls_;
  std::unique_ptr<CallTable> table_ = std::make_unique<CallTable>();
};

TEST_F(CallTableTest, FindsCallsByTheirIds) {
  PendingCall& first = Add();
  PendingCall& second = Add();
  EXPECT_NE(first.id, second.id);
  EXPECT_EQ(table_->Find(first.id), &first);
  EXPECT_EQ(table_->Find(second.id), &second);
  table_->Remove(first);
  EXPECT_EQ(table_->Find(first.id), nullptr);
  EXPECT_EQ(table_->size(), 1u);
}

TEST_F(CallTableTest, LateAnswerDoesNotMeetTheSlotsNextCall) {
  PendingCall& first = Add();
  const std::uint64_t id = first.id;
  table_->Remove(first);
  PendingCall& next = Add();
  EXPECT_EQ(next.id % RpcClient::kMaxCallsInFlight, id % RpcClient::kMaxCallsInFlight) << "the same slot";
  EXPECT_EQ(table_->Find(id), nullptr);
}

TEST_F(CallTableTest, AnyIdCanBeLookedUp) {
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{4095}, UINT64_MAX})
    EXPECT_EQ(table_->Find(id), nullptr);
}

TEST_F(CallTableTest, IsBounded) {
  for (std::size_t i = 0; i < RpcClient::kMaxCallsInFlight; ++i) {
    ASSERT_FALSE(table_->full());
    Add();
  }
  EXPECT_TRUE(table_->full());
  table_->Remove(calls_.front());
  EXPECT_FALSE(table_->full());
}

TEST_F(CallTableTest, SendsInOrderWithinTheLimits) {
  for (const char* header : {"aaaa", "bbbb", "cccc", "dddd"}) Add(header);
  EXPECT_THAT(Take(2, 1000), ElementsAre("aaaa", "bbbb"));
  EXPECT_THAT(Take(100, 1), ElementsAre("cccc")) << "at least one, whatever its size";
  EXPECT_THAT(Take(100, 1000), ElementsAre("dddd"));
  EXPECT_FALSE(table_->has_unsent());
  EXPECT_TRUE(calls_[0].sent);
}

TEST_F(CallTableTest, CallGivenUpBeforeItsSendIsNotSent) {
  Add("first");
  PendingCall& given_up = Add("given up");
  Add("last");
  table_->Remove(given_up);
  EXPECT_THAT(Take(100, 1000), ElementsAre("first", "last"));
}

TEST_F(CallTableTest, ServerIsToldTheTimeThatIsLeft) {
  Add("", milliseconds(1234));
  Add("", Duration(1));  // 0 would say "unstated"
  const std::vector<Frame> frames = table_->TakeUnsent(kNow, 100, 1000);
  EXPECT_EQ(frames[0].deadline_ms, 1234u);
  EXPECT_EQ(frames[1].deadline_ms, 1u);
  EXPECT_EQ(table_->EarliestDeadline(), kNow + Duration(1));
}

/// Draws the largest number, or the smallest.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(std::uint64_t value) : value_(value) {}
  std::uint64_t Next() override { return value_; }

 private:
  std::uint64_t value_;
};

TEST(BackoffTest, DoublesUpToTheLongestAndStartsAgain) {
  ConstantRandom largest(UINT64_MAX);
  Backoff backoff(milliseconds(10), milliseconds(35));
  EXPECT_EQ(backoff.Next(largest), milliseconds(10));
  EXPECT_EQ(backoff.Next(largest), milliseconds(20));
  EXPECT_EQ(backoff.Next(largest), milliseconds(35));
  EXPECT_EQ(backoff.Next(largest), milliseconds(35));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(largest), milliseconds(10));
  ConstantRandom smallest(0);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(smallest), milliseconds(5));
}

Greeting From(std::string host_id, std::uint32_t cpu) {
  Greeting greeting;
  greeting.caller.host_id = std::move(host_id);
  greeting.cpu = cpu;
  return greeting;
}

TEST(LoopChoiceTest, SameHostGoesToItsCpuOthersInTurn) {
  LoopChoice choice({4, 6, 8}, "here");
  EXPECT_EQ(choice.Choose(From("here", 6)), 1u);
  EXPECT_EQ(choice.Choose(From("here", 8)), 2u);
  EXPECT_EQ(choice.Choose(From("elsewhere", 6)), 0u);
  EXPECT_EQ(choice.Choose(From("here", kNoCpu)), 1u);
  EXPECT_EQ(choice.Choose(From("here", 5)), 2u) << "a CPU without a loop";
  EXPECT_EQ(choice.Choose(From("here", 6)), 1u);
  EXPECT_EQ(choice.Choose(From("elsewhere", 6)), 0u);
}

TEST(LoopChoiceTest, UnknownHostsAreNeverTheSame) {
  LoopChoice choice({0, 1}, "");
  EXPECT_EQ(choice.Choose(From("", 1)), 0u);
  LoopChoice unpinned({-1, -1}, "here");
  EXPECT_EQ(unpinned.Choose(From("here", kNoCpu)), 0u);
  EXPECT_EQ(unpinned.Choose(From("here", 1)), 1u);
}

}  // namespace
}  // namespace gabion
