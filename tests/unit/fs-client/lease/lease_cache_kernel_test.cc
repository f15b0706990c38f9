#include <gmock/gmock.h>

#include "tests/unit/fs-client/lease/lease_cache_fixture.h"

// What the kernel is told under leases, and for how long.

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(LeaseCacheTest, EntriesAreForTheKernelForAMoment) {
  LearnEntry(101, kFile);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kNow), LeaseCache::kBriefValidity);
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
  EXPECT_EQ(Recall(kDirectory, 104).wait_until, kNow + LeaseCache::kBriefValidity + LeaseCache::kKernelSlack);
}

TEST_F(LeaseCacheTest, WhereItIsAtWorkItselfTheKernelGetsNoEntries) {
  LearnEntry(101, kFile);
  (void)ChangeEntry(102, "y", kFile);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", kFile, kNow + LeaseCache::kQuiet - Duration(1)), Duration(0));
  EXPECT_GT(cache_.EntryFor(kDirectory, "x", kFile, kNow + LeaseCache::kQuiet), Duration(0));
}

TEST_F(LeaseCacheTest, OwnChangesDoNotForgetWhatTheKernelWasTold) {
  LearnEntry(101, kFile);
  (void)cache_.EntryFor(kDirectory, "x", kFile, kNow);
  EXPECT_EQ(Change(kDirectory, 102).wait_until, TimePoint()) << "the kernel knows its own changes";
  EXPECT_GT(Recall(kDirectory, 103).wait_until, kNow);
}

TEST_F(LeaseCacheTest, AttributesBesideAnEntryAreForAKernelThatHadSomeBefore) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kLookup, kNow), Duration(0));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kLookup, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 100, kLookup, kNow), Duration(0)) << "of an older answer";
  (void)Change(kFile, 102);
  Learn(103, 2);
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 103, kLookup, kNow), Duration(0)) << "they were taken back";
}

TEST_F(LeaseCacheTest, FirstAttributesInAListingAreWaitedForAndTakenBack) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kListing, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kLookup, kNow), seconds(9)) << "it has some by now";
  const LeaseCache::KernelWork work = Recall(kFile, 102);
  EXPECT_EQ(work.wait_until, kNow + LeaseCache::kKernelSlack);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
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
  const TimePoint until = kNow + LeaseCache::kBriefValidity + LeaseCache::kKernelSlack;
  const LeaseCache::Move move{kDirectory, "x", other, "y"};
  EXPECT_EQ(cache_.Moved(move, kNow), until) << "no recall of the other one would come here";
  cache_.LearnEntry(Note(102), other, "y", Ino(77), S_IFREG, kNow);
  EXPECT_EQ(cache_.Moved(move, kNow), TimePoint());
  EXPECT_EQ(Recall(other, 103).wait_until, until);
  for (TimePoint now = kNow; now < until; now = now + RunningTime::kTick) (void)cache_.Running(now);
  EXPECT_EQ(cache_.Moved(move, until), TimePoint()) << "it is over";
}

TEST_F(LeaseCacheTest, AttributesBesideAnEntryMayBeTakenInLate) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kLookup, kNow), seconds(9));
  const LeaseCache::KernelWork work = Recall(kFile, 102);
  EXPECT_EQ(work.wait_until, kNow + LeaseCache::kKernelSlack);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
}

/// With a kernel that forgets entries when it is told to.
class ForgetfulKernelTest : public LeaseCacheTest {
 protected:
  ForgetfulKernelTest() { cache_.LetForgetEntries(); }

  Duration EntryFor(const std::string& name, TimePoint now = kNow) {
    cache_.LearnEntry(Note(number_++), kDirectory, name, kFile, S_IFREG, kNow);
    return cache_.EntryFor(kDirectory, name, kFile, now);
  }
  /// What the kernel has to forget.
  std::vector<std::string> Told(const LeaseCache::KernelWork& work) {
    std::vector<std::string> names;
    for (const LeaseCache::Entries& entries : work.entries) {
      const ToldEntries::Names told = cache_.ToldOf(entries, work.told_up_to, kNow);
      names.insert(names.end(), told.names.begin(), told.names.end());
    }
    return names;
  }

  static constexpr Duration kTold = LeaseCache::kEntryValidity + LeaseCache::kKernelSlack;
  std::uint64_t number_ = 101;
};

TEST_F(ForgetfulKernelTest, EntriesAreForTheKernelUntilTheyAreRecalled) {
  EXPECT_EQ(EntryFor("x"), LeaseCache::kEntryValidity);
  EXPECT_EQ(EntryFor("y"), LeaseCache::kEntryValidity);
  const LeaseCache::KernelWork work = Recall(kDirectory, 110);
  EXPECT_EQ(work.wait_until, kNow + LeaseCache::kKernelSlack) << "it may still take in the answer";
  EXPECT_THAT(Told(work), ElementsAre("x", "y"));
  cache_.Forgotten(kDirectory, {"x"}, work.told_up_to);
  EXPECT_THAT(Told(work), ElementsAre("y"));
}

TEST_F(ForgetfulKernelTest, WhatIsToldAfterARecallIsNotPartOfIt) {
  (void)EntryFor("x");
  const LeaseCache::KernelWork work = Recall(kDirectory, 102);
  number_ = 103;
  (void)EntryFor("x");
  (void)EntryFor("y");
  EXPECT_THAT(Told(work), IsEmpty());
  cache_.Forgotten(kDirectory, {"x"}, work.told_up_to);
  EXPECT_THAT(Told(Recall(kDirectory, 110)), ElementsAre("x", "y"));
}

TEST_F(ForgetfulKernelTest, WhereItChangedSomethingLatelyEntriesAreBrieflyForTheKernel) {
  (void)ChangeEntry(101, "y", kFile);
  number_ = 102;
  EXPECT_EQ(EntryFor("x", kNow + LeaseCache::kQuiet), LeaseCache::kBriefValidity);
  cache_.Extend(kNow + seconds(100), kNow, false, false);
  EXPECT_EQ(EntryFor("x", kNow + LeaseCache::kSettled - Duration(1)), LeaseCache::kBriefValidity);
  EXPECT_EQ(EntryFor("x", kNow + LeaseCache::kSettled), LeaseCache::kEntryValidity);
}

TEST_F(ForgetfulKernelTest, WhileNoRecallWouldArriveEntriesAreBrieflyForTheKernel) {
  cache_.SetListening(false);
  EXPECT_EQ(EntryFor("x"), LeaseCache::kBriefValidity);
  cache_.SetListening(true);
  EXPECT_EQ(EntryFor("x"), LeaseCache::kEntryValidity);
}

TEST_F(ForgetfulKernelTest, AnEntryThatIsMovedIsForgottenUnderBothNames) {
  (void)EntryFor("x");
  const LeaseCache::Move move{kDirectory, "x", kDirectory, "y"};
  const LeaseCache::KernelWork before = Recall(kDirectory, 102);
  cache_.Moving(move);
  EXPECT_THAT(Told(before), ElementsAre("x", "y")) << "the kernel does not find what it is to forget as x";
  EXPECT_EQ(cache_.Moved(move, kNow), kNow + kTold) << "others may have been told that there is no y";
}

TEST_F(ForgetfulKernelTest, ARecallThatNamesEntriesIsAboutThese) {
  (void)EntryFor("x");
  (void)EntryFor("y");
  proto::Recall recall;
  recall.set_ino(kDirectory.value());
  recall.set_number(110);
  recall.add_names("y");
  recall.add_names("z");
  EXPECT_THAT(Told(*cache_.RecalledRead(recall)), ElementsAre("y"));
  recall.set_number(111);
  recall.add_names("x");
  EXPECT_THAT(Told(*cache_.RecalledRead(recall)), ElementsAre("x", "y")) << "the lease is gone, the entries are not";
}

TEST_F(ForgetfulKernelTest, ASecondRecallWaitsForWhatTheFirstOneWaitsFor) {
  cache_.LearnEntry(Note(101), kDirectory, "x", Ino(), 0, kNow);
  (void)cache_.EntryFor(kDirectory, "x", Ino(), kNow);
  const TimePoint until = Recall(kDirectory, 102).wait_until;
  EXPECT_GT(until, kNow);
  EXPECT_EQ(Recall(kDirectory, 103).wait_until, until);
}

TEST_F(ForgetfulKernelTest, ThatThereIsNoSuchNameIsBrieflyForTheKernel) {
  cache_.LearnEntry(Note(101), kDirectory, "x", Ino(), 0, kNow);
  EXPECT_EQ(cache_.EntryFor(kDirectory, "x", Ino(), kNow), LeaseCache::kBriefValidity);
}

TEST_F(ForgetfulKernelTest, AnEntryThatIsMovedWhereNothingIsLeasedIsWaitedFor) {
  (void)EntryFor("x");
  const LeaseCache::Move move{kDirectory, "x", Ino(9), "y"};
  cache_.Moving(move);
  EXPECT_EQ(cache_.Moved(move, kNow), kNow + kTold);
  cache_.LearnEntry(Note(102), Ino(9), "y", kFile, S_IFREG, kNow);
  EXPECT_EQ(cache_.Moved(move, kNow), TimePoint());
  EXPECT_THAT(Told(Recall(Ino(9), 103)), ElementsAre("y"));
}

TEST_F(ForgetfulKernelTest, TheEndHasAllEntriesForgotten) {
  (void)EntryFor("x");
  (void)Recall(kDirectory, 102);
  const LeaseCache::KernelWork work = cache_.End();
  EXPECT_THAT(Told(work), ElementsAre("x")) << "it has not been returned";
  EXPECT_EQ(cache_.told_entries_until(), kNow + kTold);
}

}  // namespace
}  // namespace gabion
