#include "fs-client/lease/lease_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint kNow{1'000'000'000'000};
constexpr TimePoint kUntil = kNow + seconds(9);
constexpr std::uint64_t kEra = 42;
constexpr Ino kFile(7), kDirectory(8);

proto::Attr Attributes(std::uint64_t size, bool leased = true) {
  proto::Attr attr;
  attr.set_ino(kFile.value());
  attr.set_size(size);
  attr.set_leased(leased);
  return attr;
}

class LeaseCacheTest : public testing::Test {
 protected:
  LeaseCacheTest() { cache_.Begin(Note(100), kUntil); }

  /// Of an answer that was asked for now.
  proto::LeaseNote Note(std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note;
    note.set_era(era);
    note.set_number(number);
    note.set_asked(cache_.generation());
    return note;
  }
  void Learn(std::uint64_t number, std::uint64_t size) { cache_.Learn(Note(number), Attributes(size), kNow); }
  void LearnEntry(std::uint64_t number, Ino ino) { cache_.LearnEntry(Note(number), kDirectory, "x", ino, kNow); }
  std::optional<std::uint64_t> KnownSize(TimePoint now = kNow) {
    const std::optional<LeaseCache::Known> known = cache_.Find(kFile, now);
    return known ? std::optional(known->attr.size()) : std::nullopt;
  }
  std::optional<Ino> KnownEntry(TimePoint now = kNow) { return cache_.FindEntry(kDirectory, "x", now); }
  LeaseCache::KernelWork Recall(Ino ino, std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(ino.value());
    recall.set_number(number);
    return cache_.Recalled(std::span(&recall, 1));
  }
  LeaseCache::KernelWork Change(Ino ino, std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note = Note(number, era);
    note.add_changed(ino.value());
    return cache_.Changed(note, kNow);
  }

  LeaseCache cache_;
};

TEST_F(LeaseCacheTest, WhatIsLeasedIsKnown) {
  Learn(101, 5);
  LearnEntry(102, kFile);
  EXPECT_EQ(KnownSize(), 5u);
  EXPECT_EQ(KnownEntry(), kFile);
  EXPECT_EQ(cache_.FindEntry(kDirectory, "y", kNow), std::nullopt);
  EXPECT_EQ(cache_.size(), 2u);
}

TEST_F(LeaseCacheTest, AnAbsentNameIsKnownToBeAbsent) {
  LearnEntry(102, Ino());
  EXPECT_EQ(KnownEntry(), Ino());
}

TEST_F(LeaseCacheTest, WhatIsNotLeasedIsNot) {
  cache_.Learn(Note(101), Attributes(5, false), kNow);
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, NothingIsUsedWhenTheSessionMayHaveLapsed) {
  Learn(101, 5);
  LearnEntry(102, kFile);
  EXPECT_EQ(KnownSize(kUntil), std::nullopt);
  EXPECT_EQ(KnownEntry(kUntil), std::nullopt);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kUntil), Duration(0));
  (void)cache_.Extend(kUntil + seconds(9), kUntil, false);  // too late for what was held
  EXPECT_EQ(KnownSize(kUntil), std::nullopt);
}

TEST_F(LeaseCacheTest, RenewalInTimeKeepsTheLeases) {
  Learn(101, 5);
  EXPECT_TRUE(cache_.Extend(kUntil + seconds(3), kUntil - seconds(1), false).attributes.empty());
  EXPECT_EQ(KnownSize(kUntil), 5u);
}

TEST_F(LeaseCacheTest, TheMetaserverKnowsBetterThanAClockThatStoodStill) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  const proto::LeaseNote before = Note(102);
  EXPECT_THAT(cache_.Extend(kUntil + seconds(3), kNow, true).attributes, ElementsAre(kFile));
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(before, Attributes(6), kNow);  // granted before the session lapsed
  EXPECT_EQ(KnownSize(), std::nullopt);
  Learn(103, 7);
  EXPECT_EQ(KnownSize(), 7u);
}

TEST_F(LeaseCacheTest, TheKernelMayUseThemAsLongAsTheSessionIsGood) {
  Learn(101, 5);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow + seconds(8)), seconds(1));
  Learn(102, 6);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), Duration(0));  // not these any more
}

TEST_F(LeaseCacheTest, ARecalledLeaseIsGone) {
  Learn(101, 5);
  LearnEntry(102, kFile);
  EXPECT_THAT(Recall(kFile, 105).attributes, IsEmpty());  // the kernel was told nothing
  EXPECT_EQ(KnownSize(), std::nullopt);
  EXPECT_EQ(KnownEntry(), kFile);
  (void)Recall(kDirectory, 106);
  EXPECT_EQ(KnownEntry(), std::nullopt);
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(LeaseCacheTest, TheKernelForgetsWhatItWasTold) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_THAT(Recall(kFile, 105).attributes, ElementsAre(kFile));
  EXPECT_THAT(Recall(kFile, 106).attributes, IsEmpty());
}

TEST_F(LeaseCacheTest, AnAnswerThatARecallHasOvertakenGrantsNothing) {
  (void)Recall(kFile, 105);
  (void)Recall(kDirectory, 105);
  Learn(104, 5);
  LearnEntry(104, kFile);
  EXPECT_EQ(KnownSize(), std::nullopt);
  EXPECT_EQ(KnownEntry(), std::nullopt);
  Learn(106, 6);
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, ARecallThatANewGrantHasOvertakenTakesNothing) {
  Learn(106, 6);
  (void)Recall(kFile, 105);
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, AnOldAnswerDoesNotTakeTheNewOnesPlace) {
  Learn(103, 6);
  Learn(102, 5);
  EXPECT_EQ(KnownSize(), 6u);
  LearnEntry(103, kFile);
  LearnEntry(102, Ino());
  EXPECT_EQ(KnownEntry(), kFile);
}

TEST_F(LeaseCacheTest, WhatOurOwnOpChangedIsNotKnownAnyMore) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_THAT(Change(kFile, 103).attributes, ElementsAre(kFile));
  EXPECT_EQ(KnownSize(), std::nullopt);
  Learn(102, 5);  // seen before the change
  EXPECT_EQ(KnownSize(), std::nullopt);
  Learn(103, 7);  // the change's own answer
  EXPECT_EQ(KnownSize(), 7u);
}

TEST_F(LeaseCacheTest, OurOwnChangeOfADirectoryForgetsItsEntries) {
  LearnEntry(101, kFile);
  (void)Change(kDirectory, 103);
  EXPECT_EQ(KnownEntry(), std::nullopt);
  LearnEntry(102, kFile);
  EXPECT_EQ(KnownEntry(), std::nullopt);
  LearnEntry(104, kFile);
  EXPECT_EQ(KnownEntry(), kFile);
}

TEST_F(LeaseCacheTest, AChangeThatCannotBePlacedMakesNothingKnown) {
  Learn(101, 5);
  const proto::LeaseNote before = Note(102);
  (void)Change(kFile, 7, kEra + 1);
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(before, Attributes(5), kNow);
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, AnswersOfAnotherEraGrantNothing) {
  cache_.Learn(Note(500, kEra + 1), Attributes(5), kNow);
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, AnswersFromBeforeTheSessionWentOnGrantNothing) {
  const proto::LeaseNote before = Note(102);
  (void)cache_.End();
  cache_.Begin(Note(110), kUntil);
  LearnEntry(111, kFile);
  proto::Attr directory = Attributes(1);
  directory.set_ino(kDirectory.value());
  cache_.Learn(before, directory, kNow);  // a record is there by now
  cache_.Learn(before, Attributes(5), kNow);
  EXPECT_EQ(cache_.Find(kDirectory, kNow), std::nullopt);
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, BetweenTwoErasNothingIsTakenIn) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_THAT(cache_.End().attributes, ElementsAre(kFile));
  Learn(102, 5);
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Begin(Note(7, kEra + 1), kUntil);
  cache_.Learn(Note(8, kEra + 1), Attributes(6), kNow);
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, WhatMayOrMayNotBeDoneMakesNothingKnown) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  const proto::LeaseNote before = Note(102);
  EXPECT_THAT(cache_.ForgetKnown(kNow).attributes, ElementsAre(kFile));
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(before, Attributes(5), kNow);  // asked for before it was known to be unknown
  EXPECT_EQ(KnownSize(), std::nullopt);
  Learn(103, 6);
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, WhileItMayStillBeDoneNothingIsTakenIn) {
  (void)cache_.ForgetKnown(kNow + seconds(2));
  Learn(103, 6);
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(Note(104), Attributes(7), kNow + seconds(2));
  EXPECT_EQ(KnownSize(), 7u);
}

TEST_F(LeaseCacheTest, OldNumbersAreForgottenTogether) {
  for (std::uint64_t i = 0; i <= LeaseCache::kMaxFloors; ++i) (void)Recall(Ino(1000 + i), 200 + i);
  proto::Attr attr = Attributes(5);
  attr.set_ino(1000);
  cache_.Learn(Note(199), attr, kNow);  // its number is forgotten, and holds for all
  EXPECT_EQ(cache_.Find(Ino(1000), kNow), std::nullopt);
  cache_.Learn(Note(201), attr, kNow);
  EXPECT_NE(cache_.Find(Ino(1000), kNow), std::nullopt);
}

TEST_F(LeaseCacheTest, EntriesAreForTheKernelForAMoment) {
  LearnEntry(101, kFile);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kNow), LeaseCache::kEntryValidity);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", Ino(), kNow), Duration(0)) << "it is there";
  EXPECT_EQ(cache_.EntryFor(kDirectory, "y", kFile, kNow), Duration(0)) << "not known";
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kUntil), Duration(0)) << "the session may have lapsed";
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kUntil - Duration(1)), Duration(1));
}

TEST_F(LeaseCacheTest, ARecallHasToWaitForEntriesThatTheKernelUses) {
  LearnEntry(101, kFile);
  EXPECT_EQ(Recall(kDirectory, 102).wait_until, TimePoint()) << "it was told none";
  LearnEntry(103, kFile);
  (void)cache_.EntryFor(kDirectory, "x", kFile, kNow);
  EXPECT_EQ(Recall(kDirectory, 104).wait_until, kNow + LeaseCache::kEntryValidity + LeaseCache::kKernelSlack);
}

TEST_F(LeaseCacheTest, WhereItIsAtWorkItselfTheKernelGetsNoEntries) {
  (void)Change(kDirectory, 101);
  LearnEntry(102, kFile);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kNow + LeaseCache::kEntryQuiet - Duration(1)), Duration(0));
  EXPECT_GT(cache_.EntryFor(kDirectory, "x", kFile, kNow + LeaseCache::kEntryQuiet), Duration(0));
}

TEST_F(LeaseCacheTest, OwnChangesDoNotForgetWhatTheKernelWasTold) {
  LearnEntry(101, kFile);
  (void)cache_.EntryFor(kDirectory, "x", kFile, kNow);
  EXPECT_EQ(Change(kDirectory, 102).wait_until, TimePoint()) << "the kernel knows its own changes";
  EXPECT_GT(Recall(kDirectory, 103).wait_until, kNow);
}

TEST_F(LeaseCacheTest, AttributesBesideAnEntryAreForAKernelThatHadSomeBefore) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kNow), Duration(0));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 100, kNow), Duration(0)) << "of an older answer";
  (void)Change(kFile, 102);
  Learn(103, 2);
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 103, kNow), Duration(0)) << "they were taken back";
}

TEST_F(LeaseCacheTest, TheEndWaitsForWhatARecallWaitsFor) {
  LearnEntry(101, kFile);
  (void)cache_.EntryFor(kDirectory, "x", kFile, kNow);
  const TimePoint until = Recall(kDirectory, 102).wait_until;
  EXPECT_EQ(cache_.End().wait_until, until) << "it has not been returned";
}

TEST_F(LeaseCacheTest, AMovedEntryIsWaitedForInBothDirectories) {
  const Ino other(9);
  LearnEntry(101, kFile);
  (void)cache_.EntryFor(kDirectory, "x", kFile, kNow);
  const TimePoint until = kNow + LeaseCache::kEntryValidity + LeaseCache::kKernelSlack;
  EXPECT_EQ(cache_.Moved(kDirectory, other, kNow), until) << "no recall of the other one would come here";
  cache_.LearnEntry(Note(102), other, "y", Ino(77), kNow);
  EXPECT_EQ(cache_.Moved(kDirectory, other, kNow), TimePoint());
  EXPECT_EQ(Recall(other, 103).wait_until, until);
  EXPECT_EQ(cache_.Moved(kDirectory, other, until), TimePoint()) << "it is over";
}

TEST_F(LeaseCacheTest, AttributesBesideAnEntryMayBeTakenInLate) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kNow), seconds(9));
  const LeaseCache::KernelWork work = Recall(kFile, 102);
  EXPECT_EQ(work.wait_until, kNow + LeaseCache::kKernelSlack);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
}

}  // namespace
}  // namespace gabion
