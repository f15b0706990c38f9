#include "metaserver/lease/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TimePoint kNow{1'000'000'000'000};
constexpr SessionId kOne(1), kTwo(2), kThree(3);
constexpr Ino kFile(7), kOther(8);

class LeaseTableTest : public testing::Test {
 protected:
  std::uint64_t Grant(SessionId session, Ino ino, TimePoint now = kNow) {
    EXPECT_TRUE(leases_.MayGrant(session, ino, now));
    const std::uint64_t number = leases_.TakeNumber();
    leases_.Grant(session, ino, LeaseTable::Mode::kRead, number, now);
    return number;
  }
  std::vector<std::uint64_t> RecalledFrom(SessionId session, std::uint64_t after = 0) {
    std::vector<std::uint64_t> inodes;
    for (const proto::Recall& recall : leases_.RecallsAfter(session, after)) inodes.push_back(recall.ino());
    return inodes;
  }

  LeaseTable leases_{42};
};

TEST_F(LeaseTableTest, AnyNumberOfSessionsHoldTheSame) {
  Grant(kOne, kFile);
  Grant(kTwo, kFile);
  Grant(kTwo, kFile);  // again
  EXPECT_THAT(leases_.Holders(kFile), ElementsAre(kOne, kTwo));
  EXPECT_EQ(leases_.size(), 2u);
}

TEST_F(LeaseTableTest, WhoWantsToChangeItHasTheOthersReturnIt) {
  Grant(kOne, kFile);
  const std::uint64_t granted = Grant(kTwo, kFile);
  leases_.BeginWanting(kOne, kFile, LeaseTable::Mode::kWrite, kNow);
  EXPECT_THAT(RecalledFrom(kOne), IsEmpty());
  const std::vector<proto::Recall> recalls = leases_.RecallsAfter(kTwo, 0);
  ASSERT_THAT(recalls, SizeIs(1));
  EXPECT_GT(recalls[0].number(), granted);
  EXPECT_THAT(leases_.RecallsAfter(kTwo, recalls[0].number()), IsEmpty());

  leases_.Return(kTwo, kFile, recalls[0].number());
  EXPECT_THAT(leases_.Holders(kFile), ElementsAre(kOne));
  EXPECT_THAT(RecalledFrom(kTwo), IsEmpty());
  leases_.EndWanting(kOne, kFile);
}

TEST_F(LeaseTableTest, NobodyGetsWhatIsWantedOrWasAMomentAgo) {
  leases_.BeginWanting(kOne, kFile, LeaseTable::Mode::kWrite, kNow);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  EXPECT_FALSE(leases_.MayGrant(kThree, kFile, kNow + seconds(60)));
  leases_.EndWanting(kOne, kFile);
  EXPECT_FALSE(leases_.MayGrant(kThree, kFile, kNow + seconds(60)));
  leases_.EndWanting(kTwo, kFile);
  EXPECT_FALSE(leases_.MayGrant(kThree, kFile, kNow));
  EXPECT_TRUE(leases_.MayGrant(kThree, kFile, kNow + seconds(60)));
  EXPECT_TRUE(leases_.MayGrant(kThree, kOther, kNow));
}

TEST_F(LeaseTableTest, ARecallOfAnEarlierGrantReturnsNoLaterOne) {
  Grant(kOne, kFile);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  const std::uint64_t recalled = leases_.RecallsAfter(kOne, 0).at(0).number();
  leases_.Return(kOne, kFile, recalled);
  leases_.EndWanting(kTwo, kFile);
  Grant(kOne, kFile, kNow + seconds(60));
  leases_.Return(kOne, kFile, recalled);  // sent twice
  EXPECT_THAT(leases_.Holders(kFile), ElementsAre(kOne));
}

TEST_F(LeaseTableTest, RecallsAreToldOnceMoreUntilTheyAreAnswered) {
  Grant(kOne, kFile);
  Grant(kOne, kOther);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  leases_.BeginWanting(kTwo, kOther, LeaseTable::Mode::kWrite, kNow + seconds(1));
  leases_.BeginWanting(kThree, kFile, LeaseTable::Mode::kWrite, kNow + seconds(2));
  EXPECT_THAT(RecalledFrom(kOne), ElementsAre(kFile.value(), kOther.value()));
  EXPECT_THAT(RecalledFrom(kOne), ElementsAre(kFile.value(), kOther.value()));
  EXPECT_TRUE(leases_.IsOverdue(kOne, kNow));
  EXPECT_EQ(leases_.OldestRecall()->ino, kFile);
  leases_.Return(kOne, kFile, leases_.last_number());
  EXPECT_FALSE(leases_.IsOverdue(kOne, kNow));
  EXPECT_TRUE(leases_.IsOverdue(kOne, kNow + seconds(1)));
  EXPECT_FALSE(leases_.IsOverdue(kTwo, kNow + seconds(60)));
  EXPECT_EQ(leases_.OldestRecall()->ino, kOther);
  leases_.Return(kOne, kOther, leases_.last_number());
  EXPECT_FALSE(leases_.OldestRecall().has_value());
}

TEST_F(LeaseTableTest, WhatASessionHeldIsGoneWithIt) {
  Grant(kOne, kFile);
  Grant(kOne, kOther);
  Grant(kTwo, kOther);
  leases_.Drop(kOne);
  EXPECT_THAT(leases_.Holders(kFile), IsEmpty());
  EXPECT_THAT(leases_.Holders(kOther), ElementsAre(kTwo));
  EXPECT_EQ(leases_.size(), 1u);
  EXPECT_EQ(leases_.CountOf(kOne), 0u);
}

TEST_F(LeaseTableTest, ASessionWithTooManyReturnsItsOldest) {
  for (std::uint64_t ino = 1; ino <= LeaseTable::kMaxPerSession; ++ino) Grant(kOne, Ino(ino));
  EXPECT_THAT(RecalledFrom(kOne), IsEmpty());
  Grant(kOne, Ino(LeaseTable::kMaxPerSession + 1));
  const std::vector<std::uint64_t> recalled = RecalledFrom(kOne);
  ASSERT_FALSE(recalled.empty());
  for (std::size_t i = 0; i < recalled.size(); ++i) EXPECT_EQ(recalled[i], i + 1);
  EXPECT_FALSE(leases_.MayGrant(kOne, Ino(1), kNow));  // on its way back

  // One that returns nothing gets no more after a while.
  std::uint64_t ino = LeaseTable::kMaxPerSession + 2;
  while (leases_.MayGrant(kOne, Ino(ino), kNow)) Grant(kOne, Ino(ino++));
  EXPECT_LT(leases_.CountOf(kOne), LeaseTable::kMaxPerSession * 2);
  EXPECT_TRUE(leases_.MayGrant(kTwo, Ino(ino), kNow));
}

TEST_F(LeaseTableTest, CountsWhatWasRecalledAndIsNotReturned) {
  const std::uint64_t number = Grant(kOne, kFile);
  Grant(kOne, kOther);
  leases_.BeginWanting(kTwo, kOther, LeaseTable::Mode::kWrite, kNow);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow + seconds(1));
  EXPECT_EQ(leases_.RecallCountOf(kOne), 2u);
  const std::vector<LeaseTable::Outstanding> oldest = leases_.OldestRecalls(kOne, 1);
  ASSERT_THAT(oldest, SizeIs(1));
  EXPECT_EQ(oldest[0].ino, kOther);
  EXPECT_EQ(oldest[0].since, kNow);
  EXPECT_THAT(leases_.OldestRecalls(kOne, 9), SizeIs(2));
  leases_.Return(kOne, kFile, number);
  EXPECT_EQ(leases_.RecallCountOf(kOne), 1u);
  leases_.Drop(kOne);
  EXPECT_EQ(leases_.RecallCountOf(kOne), 0u);
  EXPECT_EQ(leases_.RecallsTotalOf(kOne), 2u) << "also of what it holds no more";
  EXPECT_EQ(leases_.RecallsTotalOf(kTwo), 0u);
  leases_.End(kOne);
  EXPECT_EQ(leases_.RecallsTotalOf(kOne), 0u);
}

TEST_F(LeaseTableTest, AClosedTableGrantsNothing) {
  leases_.Close();
  EXPECT_FALSE(leases_.MayGrant(kOne, kFile, kNow));
}

class WriteLeaseTest : public LeaseTableTest {
 protected:
  std::uint64_t GrantWrite(SessionId session, Ino ino) {
    EXPECT_TRUE(leases_.MayGrantWrite(session, ino, true, kNow));
    const std::uint64_t number = leases_.TakeNumber();
    leases_.Grant(session, ino, LeaseTable::Mode::kWrite, number, kNow);
    return number;
  }
};

TEST_F(WriteLeaseTest, NobodyHoldsAnyBesideIt) {
  GrantWrite(kOne, kFile);
  EXPECT_EQ(leases_.Writer(kFile), kOne);
  EXPECT_FALSE(leases_.MayGrant(kTwo, kFile, kNow));
  EXPECT_FALSE(leases_.MayGrantWrite(kTwo, kFile, true, kNow));
  EXPECT_TRUE(leases_.MayGrant(kOne, kFile, kNow));
  Grant(kOne, kFile);  // an answer that shows it: it stays what it is
  EXPECT_EQ(leases_.Writer(kFile), kOne);
}

TEST_F(WriteLeaseTest, TheOnlyReaderMayBecomeTheWriter) {
  Grant(kOne, kFile);
  EXPECT_EQ(leases_.Writer(kFile), SessionId());
  EXPECT_TRUE(leases_.MayGrantWrite(kOne, kFile, false, kNow));
  Grant(kTwo, kFile);
  EXPECT_FALSE(leases_.MayGrantWrite(kOne, kFile, true, kNow));
}

TEST_F(WriteLeaseTest, WhoHasWaitedGetsItAlsoIfOthersWait) {
  leases_.BeginWanting(kOne, kFile, LeaseTable::Mode::kWrite, kNow);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  EXPECT_FALSE(leases_.MayGrantWrite(kOne, kFile, false, kNow));
  GrantWrite(kOne, kFile);
  EXPECT_THAT(RecalledFrom(kOne), ElementsAre(kFile.value()));  // the other is next
  EXPECT_TRUE(leases_.RecallsAfter(kOne, 0).at(0).write());
}

TEST_F(WriteLeaseTest, OneThatWasLostWithItsAnswerIsGrantedAndRecalledAnew) {
  GrantWrite(kOne, kFile);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  const std::uint64_t first = leases_.RecallsAfter(kOne, 0).at(0).number();
  const std::uint64_t again = GrantWrite(kOne, kFile);
  EXPECT_THAT(leases_.RecallsAfter(kOne, 0), SizeIs(1));
  EXPECT_GT(leases_.RecallsAfter(kOne, 0).at(0).number(), again);
  leases_.Return(kOne, kFile, first);
  EXPECT_EQ(leases_.Writer(kFile), kOne);
}

TEST_F(WriteLeaseTest, ASessionThatLapsedKeepsItUntilItIsEvicted) {
  GrantWrite(kOne, kFile);
  Grant(kOne, kOther);
  leases_.DropReads(kOne);
  EXPECT_EQ(leases_.Writer(kFile), kOne);
  EXPECT_THAT(leases_.Holders(kOther), IsEmpty());
  leases_.Drop(kOne);
  EXPECT_EQ(leases_.Writer(kFile), SessionId());
}

TEST_F(WriteLeaseTest, WhoOnlyLooksTakesItAwayAndMayKeepWhatItSees) {
  GrantWrite(kOne, kFile);
  Grant(kTwo, kOther);
  leases_.BeginWanting(kThree, kFile, LeaseTable::Mode::kRead, kNow);
  leases_.BeginWanting(kThree, kOther, LeaseTable::Mode::kRead, kNow);
  EXPECT_THAT(RecalledFrom(kOne), ElementsAre(kFile.value()));
  EXPECT_THAT(RecalledFrom(kTwo), IsEmpty());
  leases_.Return(kOne, kFile, leases_.last_number());
  EXPECT_TRUE(leases_.MayGrant(kThree, kFile, kNow));
  EXPECT_FALSE(leases_.MayGrant(kOne, kFile, kNow));
}

TEST_F(WriteLeaseTest, ItsReturnTakesAsLongAsItTakes) {
  GrantWrite(kOne, kFile);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  EXPECT_FALSE(leases_.IsOverdue(kOne, kNow + seconds(1000)));
  EXPECT_EQ(leases_.OldestRecall()->session, kOne);
}

TEST_F(WriteLeaseTest, OnceDowngradedItIsReturnedAsFastAsAReadLease) {
  GrantWrite(kOne, kFile);
  const std::uint64_t granted = leases_.last_number();
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  EXPECT_FALSE(leases_.IsOverdue(kOne, kNow));
  leases_.Downgrade(kOne, kFile, granted);
  EXPECT_TRUE(leases_.IsOverdue(kOne, kNow));
}

TEST_F(WriteLeaseTest, WhoWaitsForItsReturnWaitsNoLongerThanItWants) {
  GrantWrite(kOne, kFile);
  leases_.BeginWanting(kTwo, kFile, LeaseTable::Mode::kWrite, kNow);
  const auto sooner = leases_.NextReturn(kFile, kNow + seconds(5));
  const auto later = leases_.NextReturn(kFile, kNow + seconds(6));
  const auto waits = [](const auto& event) { return event.use_count() > 1; };  // what is set is let go
  leases_.EndWaits(kNow + seconds(4));
  EXPECT_TRUE(waits(sooner));
  leases_.EndWaits(kNow + seconds(5));
  EXPECT_FALSE(waits(sooner));
  EXPECT_TRUE(waits(later));
  leases_.Return(kOne, kFile, leases_.last_number());
  EXPECT_FALSE(waits(later));
}

}  // namespace
}  // namespace gabion
