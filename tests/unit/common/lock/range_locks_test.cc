#include "common/lock/range_locks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr LockOwner kAnna{1, LockKind::kPosix, 10}, kBert{1, LockKind::kPosix, 11};

RangeLock Shared(const LockOwner& owner, std::uint64_t begin, std::uint64_t last) {
  return {owner, false, begin, last, 0};
}
RangeLock Exclusive(const LockOwner& owner, std::uint64_t begin, std::uint64_t last) {
  return {owner, true, begin, last, 0};
}

/// "10 w 0-9", sorted.
std::vector<std::string> Held(const RangeLocks& locks) {
  std::vector<std::string> held;
  for (const RangeLock& lock : locks.all()) {
    held.push_back(fmt::format("{} {} {}-{}", lock.owner.number, lock.exclusive ? 'w' : 'r', lock.begin, lock.last));
  }
  std::sort(held.begin(), held.end());
  return held;
}

TEST(RangeLocksTest, ReadersShareAndWritersDoNot) {
  RangeLocks locks;
  locks.Set(Shared(kAnna, 0, 9));
  EXPECT_EQ(locks.FindConflict(Shared(kBert, 5, 15)), nullptr);
  ASSERT_NE(locks.FindConflict(Exclusive(kBert, 9, 15)), nullptr);
  EXPECT_EQ(locks.FindConflict(Exclusive(kBert, 10, 15)), nullptr);
  EXPECT_EQ(locks.FindConflict(Exclusive(kAnna, 0, 9)), nullptr) << "its own";
}

TEST(RangeLocksTest, OwnersOfOtherSessionsAndKindsAreOthers) {
  RangeLocks locks;
  locks.Set(Exclusive(kAnna, 0, 9));
  EXPECT_NE(locks.FindConflict(Exclusive({2, LockKind::kPosix, 10}, 0, 9)), nullptr);
  EXPECT_EQ(locks.FindConflict(Exclusive({2, LockKind::kFlock, 10}, 0, 9)), nullptr);
}

TEST(RangeLocksTest, ClearingTheMiddleLeavesBothEnds) {
  RangeLocks locks;
  locks.Set(Exclusive(kAnna, 0, 29));
  locks.Clear(kAnna, 10, 19);
  EXPECT_THAT(Held(locks), ElementsAre("10 w 0-9", "10 w 20-29"));
  locks.Clear(kBert, 0, 9);
  EXPECT_THAT(Held(locks), ElementsAre("10 w 0-9", "10 w 20-29"));
  locks.Clear(kAnna, 0, RangeLock::kLastByte);
  EXPECT_THAT(Held(locks), IsEmpty());
}

TEST(RangeLocksTest, ALaterLockTakesThePlaceOfAnEarlierOneAndMergesWithItsLike) {
  RangeLocks locks;
  locks.Set(Exclusive(kAnna, 0, 29));
  locks.Set(Shared(kAnna, 10, 19));
  EXPECT_THAT(Held(locks), ElementsAre("10 r 10-19", "10 w 0-9", "10 w 20-29"));
  locks.Set(Exclusive(kAnna, 10, 19));
  EXPECT_THAT(Held(locks), ElementsAre("10 w 0-29"));
  locks.Set(Exclusive(kAnna, 30, RangeLock::kLastByte));
  EXPECT_THAT(Held(locks), ElementsAre(fmt::format("10 w 0-{}", RangeLock::kLastByte)));
}

TEST(RangeLocksTest, KnowsWhetherAnOwnerHasAllOfARange) {
  RangeLocks locks;
  locks.Set(Exclusive(kAnna, 0, 9));
  locks.Set(Shared(kAnna, 10, 19));
  locks.Set(Shared(kBert, 20, 29));
  EXPECT_TRUE(locks.Covers(Shared(kAnna, 5, 19)));
  EXPECT_FALSE(locks.Covers(Exclusive(kAnna, 5, 19)));
  EXPECT_FALSE(locks.Covers(Shared(kAnna, 5, 20)));
}

TEST(RangeLocksTest, DropsAllOfAnOwner) {
  RangeLocks locks;
  locks.Set(Shared(kAnna, 0, 9));
  locks.Set(Shared(kAnna, 20, 29));
  locks.Set(Shared(kBert, 0, 9));
  EXPECT_EQ(locks.CountOf(kAnna), 2u);
  locks.DropIf([](const LockOwner& owner) { return owner == kAnna; });
  EXPECT_THAT(Held(locks), ElementsAre("11 r 0-9"));
}

TEST(RangeLocksTest, AgreesWithAByteForByteTable) {
  constexpr std::uint64_t kBytes = 24;
  std::mt19937_64 random(7);
  RangeLocks locks;
  std::array<std::array<char, kBytes>, 2> table{};  // of each owner: 0, 'r' or 'w'
  const std::array owners{kAnna, kBert};
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t who = random() % 2;
    const std::uint64_t begin = random() % kBytes;
    const std::uint64_t last = begin + random() % (kBytes - begin);
    const bool exclusive = random() % 2 == 0;
    if (random() % 3 == 0) {
      locks.Clear(owners[who], begin, last);
      std::fill(table[who].begin() + begin, table[who].begin() + last + 1, 0);
      continue;
    }
    const RangeLock wanted{owners[who], exclusive, begin, last, 0};
    bool taken = false;
    for (std::uint64_t i = begin; i <= last; ++i) {
      taken = taken || table[1 - who][i] == 'w' || (exclusive && table[1 - who][i] != 0);
    }
    ASSERT_EQ(locks.FindConflict(wanted) != nullptr, taken) << "step " << step;
    if (taken) continue;
    locks.Set(wanted);
    std::fill(table[who].begin() + begin, table[who].begin() + last + 1, exclusive ? 'w' : 'r');
    for (std::uint64_t i = 0; i < kBytes; ++i) {
      char held = 0;
      for (const RangeLock& lock : locks.all()) {
        if (lock.owner == owners[who] && lock.Overlaps(i, i)) held = lock.exclusive ? 'w' : 'r';
      }
      ASSERT_EQ(held, table[who][i]) << "step " << step << ", byte " << i;
    }
  }
}

}  // namespace
}  // namespace gabion
