#include "metaserver/lock/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint kBegin{1'000'000'000};
constexpr Ino kBook(7), kShelf(8);

RangeLock Lock(std::uint64_t session, std::uint64_t owner, bool exclusive = true) {
  return {{session, LockKind::kPosix, owner}, exclusive, 0, RangeLock::kLastByte, static_cast<std::uint32_t>(owner)};
}

class LockTableTest : public testing::Test {
 protected:
  /// As SetLock does with a request that waits. The number is the owner's.
  void Take(Ino ino, const RangeLock& wanted) {
    if (table_.FindConflict(ino, wanted) != nullptr || table_.HasToQueue(ino, wanted)) {
      table_.Wait(ino, wanted, wanted.owner.number, kBegin);
    } else {
      table_.Set(ino, wanted);
    }
  }
  void Unlock(Ino ino, std::uint64_t session, std::uint64_t owner) {
    table_.Clear(ino, {session, LockKind::kPosix, owner}, 0, RangeLock::kLastByte);
  }
  std::vector<std::uint64_t> Granted() {
    std::vector<std::uint64_t> waits;
    for (const LockTable::Granted& granted : table_.Grant()) waits.push_back(granted.wait);
    return waits;
  }

  LockTable table_;
};

TEST_F(LockTableTest, WhoComesFirstIsServedFirst) {
  Take(kBook, Lock(1, 10));
  Take(kBook, Lock(2, 20));
  Take(kBook, Lock(1, 11));
  EXPECT_THAT(Granted(), IsEmpty());
  Unlock(kBook, 1, 10);
  EXPECT_THAT(Granted(), ElementsAre(20));
  Unlock(kBook, 2, 20);
  EXPECT_THAT(Granted(), ElementsAre(11));
  Unlock(kBook, 1, 11);
  EXPECT_THAT(Granted(), IsEmpty());
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(LockTableTest, ReadersGetInTogetherAndNotBeforeAWriterThatWaits) {
  Take(kBook, Lock(1, 10, false));
  Take(kBook, Lock(1, 11));
  Take(kBook, Lock(1, 12, false));
  Take(kBook, Lock(1, 13, false));
  EXPECT_THAT(Granted(), IsEmpty());
  Unlock(kBook, 1, 10);
  EXPECT_THAT(Granted(), ElementsAre(11));
  Unlock(kBook, 1, 11);
  EXPECT_THAT(Granted(), ElementsAre(12, 13));
}

TEST_F(LockTableTest, WhoHoldsALockIsNotHeldUpByThoseWhoWait) {
  Take(kShelf, Lock(1, 10));
  Take(kBook, Lock(1, 11, false));
  Take(kBook, Lock(1, 12));
  EXPECT_FALSE(table_.HasToQueue(kBook, Lock(1, 10, false)));
  EXPECT_TRUE(table_.HasToQueue(kBook, Lock(1, 13, false)));
}

TEST_F(LockTableTest, AProcessThatLocksSeveralOpenFilesIsOneProcess) {
  const RangeLock first{{1, LockKind::kFlock, 100}, true, 0, RangeLock::kLastByte, 10};
  const RangeLock second{{1, LockKind::kFlock, 101}, false, 0, RangeLock::kLastByte, 10};
  const RangeLock reader{{1, LockKind::kFlock, 110}, false, 0, RangeLock::kLastByte, 11};
  const RangeLock writer{{1, LockKind::kFlock, 120}, true, 0, RangeLock::kLastByte, 12};
  Take(kBook, first);
  Take(kShelf, reader);
  Take(kShelf, writer);
  EXPECT_FALSE(table_.HasToQueue(kShelf, second)) << "the reader may wait for the first";
}

TEST_F(LockTableTest, WhoBeginsToHoldALockIsNotHeldUpAnyMore) {
  RangeLock reader = Lock(1, 10, false), writer = Lock(1, 11), late = Lock(1, 12, false);
  Take(kBook, reader);
  Take(kBook, writer);
  Take(kBook, late);
  EXPECT_THAT(Granted(), IsEmpty());
  Take(kShelf, Lock(1, 12));  // another thread of it
  EXPECT_THAT(Granted(), ElementsAre(12));
}

TEST_F(LockTableTest, NobodyIsHeldUpForLongByThoseWhoOnlyWait) {
  Take(kBook, Lock(1, 10, false));
  Take(kBook, Lock(1, 11));
  Take(kBook, Lock(1, 12, false));  // a child of the first, say, which waits for it
  table_.EndQueueing(kBegin + LockTable::kQueueFor - Duration(1));
  EXPECT_THAT(Granted(), IsEmpty());
  table_.EndQueueing(kBegin + LockTable::kQueueFor);
  EXPECT_THAT(Granted(), ElementsAre(12));
}

TEST_F(LockTableTest, AWeakerLockLetsOthersIn) {
  Take(kBook, Lock(1, 10));
  Take(kBook, Lock(2, 20, false));
  table_.Set(kBook, Lock(1, 10, false));
  EXPECT_THAT(Granted(), ElementsAre(20));
}

TEST_F(LockTableTest, WhoGivesUpHoldsNobodyUp) {
  Take(kBook, Lock(1, 10, false));
  Take(kBook, Lock(1, 11));
  Take(kBook, Lock(1, 12, false));
  EXPECT_TRUE(table_.Waits(SessionId(1), 11));
  table_.Cancel(SessionId(1), 11);
  table_.Cancel(SessionId(1), 11);
  EXPECT_FALSE(table_.Waits(SessionId(1), 11));
  EXPECT_THAT(Granted(), ElementsAre(12));
}

TEST_F(LockTableTest, ASessionThatEndsLeavesNothing) {
  Take(kBook, Lock(1, 10));
  Take(kShelf, Lock(1, 10));
  Take(kBook, Lock(1, 11));
  Take(kBook, Lock(2, 20));
  table_.Drop(SessionId(1));
  EXPECT_THAT(Granted(), ElementsAre(20));
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(LockTableTest, WaitingTwiceIsWaitingOnce) {
  Take(kBook, Lock(1, 10));
  Take(kBook, Lock(2, 20));
  table_.Wait(kBook, Lock(2, 20), 20, kBegin);
  Unlock(kBook, 1, 10);
  EXPECT_THAT(Granted(), ElementsAre(20));
}

TEST_F(LockTableTest, ACircleOfWaitersIsSeen) {
  Take(kBook, Lock(1, 10));
  Take(kShelf, Lock(2, 20));
  Take(Ino(9), Lock(3, 30));
  Take(kShelf, Lock(1, 10));
  Take(Ino(9), Lock(2, 20));
  EXPECT_TRUE(table_.WouldDeadlock(kBook, Lock(3, 30)));
  EXPECT_FALSE(table_.WouldDeadlock(kBook, Lock(3, 31)));
}

TEST_F(LockTableTest, NamesTheSessionsThatAreInTheWay) {
  Take(kBook, Lock(1, 10));
  Take(kBook, Lock(2, 20));
  EXPECT_THAT(table_.TakeWanted(), ElementsAre(SessionId(1)));
  Unlock(kBook, 1, 10);
  (void)table_.Grant();
  EXPECT_THAT(table_.TakeWanted(), IsEmpty());
  table_.NoteRefusal(SessionId(2));
  EXPECT_THAT(table_.TakeWanted(), ElementsAre(SessionId(2)));
  EXPECT_THAT(table_.TakeWanted(), IsEmpty());
  Take(kBook, Lock(2, 21));
  EXPECT_THAT(table_.TakeWanted(), IsEmpty()) << "of its own session";
}

TEST_F(LockTableTest, CountsWhatASessionHoldsAndWaitsFor) {
  Take(kBook, Lock(1, 1));
  Take(kShelf, Lock(1, 2));
  Take(kBook, Lock(2, 3));
  EXPECT_EQ(table_.CountsOf(SessionId(1)).held, 2u);
  EXPECT_EQ(table_.CountsOf(SessionId(1)).waits, 0u);
  EXPECT_EQ(table_.CountsOf(SessionId(2)).held, 0u);
  EXPECT_EQ(table_.CountsOf(SessionId(2)).waits, 1u);
}

TEST_F(LockTableTest, NoSessionWaitsWithoutBounds) {
  Take(kBook, Lock(1, 10));
  for (std::uint64_t i = 0; i < LockTable::kMaxWaitsPerSession; ++i) {
    ASSERT_TRUE(table_.HasRoom(SessionId(2)));
    table_.Wait(kBook, Lock(2, 100 + i), 100 + i, kBegin);
  }
  EXPECT_FALSE(table_.HasRoom(SessionId(2)));
  EXPECT_TRUE(table_.HasRoom(SessionId(3)));
}

}  // namespace
}  // namespace gabion
