#include <gtest/gtest.h>

#include <asio/experimental/awaitable_operators.hpp>
#include <set>
#include <variant>

#include "common/env/clock.h"
#include "tests/contract/env_benches.h"

namespace gabion {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

template <typename Bench>
class ClockContract : public testing::Test {
 protected:
  Bench bench_;
};
using Benches = testing::Types<RealEnvBench, SimEnvBench>;
TYPED_TEST_SUITE(ClockContract, Benches, BenchNames);

TYPED_TEST(ClockContract, TimeNeverGoesBack) {
  Clock& clock = this->bench_.server().clock;
  TimePoint previous = clock.Now();
  for (int i = 0; i < 1000; ++i) {
    const TimePoint now = clock.Now();
    ASSERT_GE(now, previous);
    previous = now;
  }
}

TYPED_TEST(ClockContract, WallTimeIsOfThisCentury) {
  constexpr std::int64_t kYear2020Ns = 1'577'836'800'000'000'000;
  EXPECT_GT(this->bench_.server().clock.WallNowNs(), kYear2020Ns);
}

TYPED_TEST(ClockContract, SleepEndsNotBeforeItsDeadline) {
  Clock& clock = this->bench_.server().clock;
  const TimePoint deadline = clock.Now() + milliseconds(20);
  this->bench_.Run(clock.SleepUntil(deadline));
  EXPECT_GE(clock.Now(), deadline);
}

TYPED_TEST(ClockContract, DeadlineInThePastReturnsAtOnce) {
  Clock& clock = this->bench_.server().clock;
  this->bench_.Run(clock.SleepUntil(clock.Now() - hours(1)));
  this->bench_.Run(clock.SleepUntil(clock.Now()));
}

Task<void> Note(Clock& clock, Duration duration, std::vector<int>& order, int number) {
  co_await clock.SleepFor(duration);
  order.push_back(number);
}

TYPED_TEST(ClockContract, SleepersWakeInTheOrderOfTheirDeadlines) {
  Clock& clock = this->bench_.server().clock;
  std::vector<int> order;
  std::vector<Task<void>> tasks;
  tasks.push_back(Note(clock, milliseconds(120), order, 3));
  tasks.push_back(Note(clock, milliseconds(0), order, 1));
  tasks.push_back(Note(clock, milliseconds(60), order, 2));
  this->bench_.RunAll(std::move(tasks));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

Task<void> FirstOf(Clock& clock, Duration short_time, Duration long_time) {
  using asio::experimental::awaitable_operators::operator||;
  Task<void> quick = clock.SleepFor(short_time);
  Task<void> slow = clock.SleepFor(long_time);
  Task<std::variant<std::monostate, std::monostate>> either = std::move(quick) || std::move(slow);
  co_await std::move(either);
}

TYPED_TEST(ClockContract, CancelledSleepReturnsEarly) {
  Clock& clock = this->bench_.server().clock;
  const TimePoint start = clock.Now();
  this->bench_.Run(FirstOf(clock, milliseconds(5), hours(1)));
  EXPECT_LT(clock.Now() - start, hours(1));
}

template <typename Bench>
class RandomContract : public testing::Test {
 protected:
  Bench bench_;
};
TYPED_TEST_SUITE(RandomContract, Benches, BenchNames);

TYPED_TEST(RandomContract, NumbersSpread) {
  Random& random = this->bench_.server().random;
  std::set<std::uint64_t> seen;
  std::uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.Next();
    seen.insert(value);
    ones |= value;
    zeros |= ~value;
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(ones, ~std::uint64_t{0}) << "a bit is never set";
  EXPECT_EQ(zeros, ~std::uint64_t{0}) << "a bit is always set";
}

TYPED_TEST(RandomContract, BoundedDrawsStayBelowAndReachAll) {
  Random& random = this->bench_.server().random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.Below(7);
    ASSERT_LT(value, 7u);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_EQ(random.Below(1), 0u);
  EXPECT_TRUE(random.Chance(1, 1));
  EXPECT_FALSE(random.Chance(0, 1));
}

TYPED_TEST(RandomContract, StreamsDiffer) {
  // Two processes started at once draw different session ids.
  TypeParam other;
  if constexpr (std::is_same_v<TypeParam, SimEnvBench>) {
    EXPECT_NE(this->bench_.server().random.Next(), this->bench_.client().random.Next());
  } else {
    EXPECT_NE(this->bench_.server().random.Next(), other.server().random.Next());
  }
}

}  // namespace
}  // namespace gabion
