#include "fs-client/fuse/request_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <vector>

namespace gabion::fuse {
namespace {

const auto kDying = [](std::uint32_t) { return true; };
const auto kLiving = [](std::uint32_t) { return false; };

/// What a request has heard.
struct Listener {
  explicit Listener(RequestTable::Place its_place) : place(std::move(its_place)) {
    place.slot().assign([this](asio::cancellation_type type) { heard.push_back(type); });
  }
  std::vector<asio::cancellation_type> heard;
  RequestTable::Place place;
};

TEST(RequestTableTest, CancelsOnlyTheRequestThatIsMeant) {
  RequestTable table;
  Listener first(table.Begin(1, 10));
  Listener second(table.Begin(2, 20));
  table.Interrupt(2, kDying);
  EXPECT_TRUE(first.heard.empty());
  EXPECT_EQ(second.heard, std::vector{asio::cancellation_type::terminal});
}

TEST(RequestTableTest, TellsALivingCallersInterruptApart) {
  RequestTable table;
  Listener request(table.Begin(1, 10));
  std::uint32_t asked = 0;
  table.Interrupt(1, [&asked](std::uint32_t pid) {
    asked = pid;
    return false;
  });
  EXPECT_EQ(asked, 10u);
  EXPECT_EQ(request.heard, std::vector{asio::cancellation_type::total});
}

TEST(RequestTableTest, CancelsAllAtTheEnd) {
  RequestTable table;
  Listener first(table.Begin(1, 10));
  Listener second(table.Begin(2, 20));
  table.CancelAll();
  EXPECT_EQ(first.heard, std::vector{asio::cancellation_type::terminal});
  EXPECT_EQ(second.heard, std::vector{asio::cancellation_type::terminal});
}

TEST(RequestTableTest, KeepsAnInterruptThatCameBeforeItsRequest) {
  RequestTable table;
  table.Interrupt(7, kLiving);
  EXPECT_FALSE(table.TakeEarlyInterrupt(8));
  EXPECT_TRUE(table.TakeEarlyInterrupt(7));
  EXPECT_FALSE(table.TakeEarlyInterrupt(7));
}

TEST(RequestTableTest, ForgetsTheOldestOfTooManyEarlyInterrupts) {
  RequestTable table;
  for (std::uint64_t unique = 0; unique <= RequestTable::kMaxEarlyInterrupts; ++unique)
    table.Interrupt(unique, kLiving);
  EXPECT_FALSE(table.TakeEarlyInterrupt(0));
  EXPECT_TRUE(table.TakeEarlyInterrupt(RequestTable::kMaxEarlyInterrupts));
}

TEST(RequestTableTest, TakesAnEndedRequestsInterruptForEarly) {
  RequestTable table;
  { Listener request(table.Begin(5, 10)); }
  table.Interrupt(5, kDying);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_TRUE(table.TakeEarlyInterrupt(5));
}

TEST(RequestTableTest, SaysWhenTheLastRequestHasEnded) {
  RequestTable table;
  int calls = 0;
  table.WhenEmpty([&calls] { ++calls; });
  EXPECT_EQ(calls, 1);
  std::optional<RequestTable::Place> first(table.Begin(1, 0));
  std::optional<RequestTable::Place> second(table.Begin(2, 0));
  table.WhenEmpty([&calls] { ++calls; });
  first.reset();
  EXPECT_EQ(calls, 1);
  second.reset();
  EXPECT_EQ(calls, 2);
  table.Begin(3, 0);
  EXPECT_EQ(calls, 2);
}

TEST(RequestTableTest, FindsRequestsInAnyOrderOfEnding) {
  RequestTable table;
  std::vector<std::unique_ptr<Listener>> requests;
  for (std::uint64_t unique = 0; unique < 10; ++unique) {
    requests.push_back(std::make_unique<Listener>(table.Begin(unique, 1)));
  }
  for (std::size_t gone : {5u, 0u, 9u}) requests[gone].reset();
  EXPECT_EQ(table.size(), 7u);
  for (std::uint64_t unique : {1u, 4u, 8u}) {
    table.Interrupt(unique, kDying);
    EXPECT_EQ(requests[unique]->heard.size(), 1u);
  }
}

TEST(RequestTableTest, SeesAKillThatIsPending) {
  EXPECT_TRUE(HasKillPending("Name:\tcat\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n"));
  EXPECT_TRUE(HasKillPending("SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n"));
  EXPECT_FALSE(HasKillPending("SigPnd:\t0000000000000200\nShdPnd:\t0000000000004002\nSigBlk:\t0000000000000100\n"));
  EXPECT_FALSE(HasKillPending(""));
  EXPECT_FALSE(HasKillPending("SigPnd:\t"));
}

TEST(RequestTableTest, TakesNobodyForDyingWhoIsNot) {
  EXPECT_FALSE(IsDying(0));
  EXPECT_FALSE(IsDying(static_cast<std::uint32_t>(getpid())));
}

}  // namespace
}  // namespace gabion::fuse
