#include "fs-client/lease/lease_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint kNow{1'000'000'000'000};
constexpr TimePoint kUntil = kNow + seconds(9);
constexpr std::uint64_t kEra = 42;
constexpr Ino kFile(7), kDirectory(8);
constexpr LeaseCache::Beside kLookup = LeaseCache::Beside::kLookup, kListing = LeaseCache::Beside::kListing;

proto::Attr Attributes(std::uint64_t size, bool leased = true) {
  proto::Attr attr;
  attr.set_ino(kFile.value());
  attr.set_size(size);
  attr.set_leased(leased);
  return attr;
}

proto::Attr WriteLeased(std::uint64_t size) {
  proto::Attr attr = Attributes(size);
  attr.set_write_leased(true);
  return attr;
}

class LeaseCacheTest : public testing::Test {
 protected:
  LeaseCacheTest() { cache_.Begin(Note(100), {}, kUntil); }

  /// Of an answer that was asked for now.
  proto::LeaseNote Note(std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note;
    note.set_era(era);
    note.set_number(number);
    note.set_asked(cache_.generation());
    return note;
  }
  void Learn(std::uint64_t number, std::uint64_t size) { cache_.Learn(Note(number), Attributes(size), kNow); }
  void LearnEntry(std::uint64_t number, Ino ino) {
    cache_.LearnEntry(Note(number), kDirectory, "x", ino, S_IFREG, kNow);
  }
  std::optional<std::uint64_t> KnownSize(TimePoint now = kNow) {
    const std::optional<LeaseCache::Known> known = cache_.Find(kFile, now);
    return known ? std::optional(known->attr.size()) : std::nullopt;
  }
  std::optional<Ino> KnownEntry(TimePoint now = kNow) { return cache_.FindEntry(kDirectory, "x", now); }
  LeaseCache::KernelWork Recall(Ino ino, std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(ino.value());
    recall.set_number(number);
    return cache_.RecalledWrite(recall).work;
  }
  std::optional<LeaseCache::Return> RecallWrite(std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(kFile.value());
    recall.set_number(number);
    recall.set_write(true);
    return cache_.RecalledWrite(recall).flushing;
  }
  LeaseCache::KernelWork Change(Ino ino, std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note = Note(number, era);
    note.add_changed(ino.value());
    return cache_.Changed(note, kNow);
  }
  /// The answer to an op of ours that made, or (no `ino`) removed a name.
  static proto::LeaseNote ChangeOfEntry(proto::LeaseNote note, const std::string& name, Ino ino) {
    note.add_changed(kDirectory.value());
    proto::ChangedEntry& entry = *note.add_entries();
    entry.set_directory(kDirectory.value());
    entry.set_name(name);
    entry.set_ino(ino.value());
    entry.set_mode(S_IFREG);
    return note;
  }
  LeaseCache::KernelWork ChangeEntry(std::uint64_t number, const std::string& name, Ino ino) {
    return cache_.Changed(ChangeOfEntry(Note(number), name, ino), kNow);
  }
  /// Of files without attributes.
  proto::ReadDirReply Page(std::uint64_t number, const std::vector<std::string>& names, bool end) {
    proto::ReadDirReply page;
    *page.mutable_note() = Note(number);
    page.set_entries_leased(true);
    page.set_end(end);
    for (const std::string& name : names) {
      proto::DirEntry& entry = *page.add_entries();
      entry.set_name(name);
      entry.set_ino(1000 + number);
      entry.set_mode(S_IFREG);
    }
    return page;
  }
  std::vector<std::string> Listed(bool with_attr = false) {
    std::vector<std::string> names;
    const std::optional<proto::ReadDirReply> page = cache_.ListEntries(kDirectory, "", 100, with_attr, kNow);
    if (!page) return {"(unknown)"};
    for (const proto::DirEntry& entry : page->entries()) names.push_back(entry.name());
    return names;
  }
  std::optional<Ino> Entry(const std::string& name) { return cache_.FindEntry(kDirectory, name, kNow); }

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
  (void)cache_.Extend(kUntil + seconds(9), kUntil, false, false);  // too late for what was held
  EXPECT_EQ(KnownSize(kUntil), std::nullopt);
}

TEST_F(LeaseCacheTest, RenewalInTimeKeepsTheLeases) {
  Learn(101, 5);
  EXPECT_TRUE(cache_.Extend(kUntil + seconds(3), kUntil - seconds(1), false, false).attributes.empty());
  EXPECT_EQ(KnownSize(kUntil), 5u);
}

TEST_F(LeaseCacheTest, TheMetaserverKnowsBetterThanAClockThatStoodStill) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  const proto::LeaseNote before = Note(102);
  EXPECT_THAT(cache_.Extend(kUntil + seconds(3), kNow, true, false).attributes, ElementsAre(kFile));
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
  const LeaseCache::KernelWork work = Recall(kFile, 105);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
  cache_.Forgotten(work);
  EXPECT_THAT(Recall(kFile, 106).attributes, IsEmpty());
}

TEST_F(LeaseCacheTest, ARecallWaitsForWhatTheKernelIsAboutToForget) {
  Learn(101, 5);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  const LeaseCache::KernelWork unsure = cache_.ForgetKnown(kNow);
  const LeaseCache::KernelWork recalled = Recall(kFile, 105);
  EXPECT_THAT(recalled.attributes, ElementsAre(kFile)) << "it may not have forgotten it yet";
  cache_.Forgotten(unsure);
  cache_.Forgotten(recalled);
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

TEST_F(LeaseCacheTest, OurOwnChangeOfADirectoryTellsWhatBecameOfTheEntry) {
  LearnEntry(101, kFile);
  cache_.LearnEntry(Note(101), kDirectory, "y", kFile, S_IFREG, kNow);
  (void)ChangeEntry(103, "x", Ino());
  EXPECT_EQ(KnownEntry(), Ino());
  EXPECT_EQ(Entry("y"), kFile) << "nobody touched it";
  LearnEntry(102, kFile);
  EXPECT_EQ(KnownEntry(), Ino()) << "seen before the change";
  LearnEntry(104, kFile);
  EXPECT_EQ(KnownEntry(), kFile);
}

TEST_F(LeaseCacheTest, WithoutALeaseAnOwnChangeOnlyMakesOlderAnswersVoid) {
  (void)ChangeEntry(103, "x", Ino());
  EXPECT_EQ(KnownEntry(), std::nullopt);
  LearnEntry(102, kFile);
  EXPECT_EQ(KnownEntry(), std::nullopt);
}

TEST_F(LeaseCacheTest, AnOwnChangeFromBeforeAnUnsureOneMakesNothingKnown) {
  proto::LeaseNote change = ChangeOfEntry(Note(103), "x", kFile);
  (void)cache_.ForgetKnown(kNow);
  cache_.LearnEntry(Note(102), kDirectory, "x", Ino(9), S_IFREG, kNow);
  (void)cache_.Changed(change, kNow);
  EXPECT_EQ(KnownEntry(), std::nullopt);
}

TEST_F(LeaseCacheTest, AnOwnChangeFromBeforeTheLeaseMakesNothingKnown) {
  cache_.LearnEntry(Note(120), kDirectory, "y", kFile, S_IFREG, kNow);
  (void)ChangeEntry(100, "x", Ino());  // another client may have made it in between: nobody would have told us
  EXPECT_EQ(KnownEntry(), std::nullopt);
  LearnEntry(121, kFile);
  EXPECT_EQ(KnownEntry(), kFile);
}

TEST_F(LeaseCacheTest, TheAnswerToAnOwnChangeShowsTheDirectory) {
  proto::LeaseNote note = ChangeOfEntry(Note(103), "x", kFile);
  proto::Attr directory = Attributes(1);
  directory.set_ino(kDirectory.value());
  *note.add_directories() = directory;
  (void)cache_.Changed(note, kNow);
  ASSERT_NE(cache_.Find(kDirectory, kNow), std::nullopt);
  EXPECT_EQ(cache_.AttributesFor(kDirectory, 103, kNow), Duration(0)) << "they change with the next one";
  EXPECT_GT(cache_.AttributesFor(kDirectory, 103, kNow + LeaseCache::kQuiet), Duration(0));
}

TEST_F(LeaseCacheTest, AListingMakesADirectoryComplete) {
  const std::uint64_t listing =
      cache_.LearnPage(Page(101, {"a", "b"}, false), kDirectory, LeaseCache::kNewListing, kNow);
  EXPECT_EQ(Entry("aa"), std::nullopt);
  EXPECT_THAT(Listed(), ElementsAre("(unknown)"));
  (void)cache_.LearnPage(Page(102, {"c"}, true), kDirectory, listing, kNow);
  EXPECT_EQ(Entry("aa"), Ino());
  EXPECT_EQ(Entry("c"), Ino(1102));
  EXPECT_THAT(Listed(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Listed(true), ElementsAre("(unknown)")) << "their attributes are not";
  (void)ChangeEntry(103, "b", Ino());
  (void)ChangeEntry(104, "bb", kFile);
  EXPECT_THAT(Listed(), ElementsAre("a", "bb", "c"));
}

TEST_F(LeaseCacheTest, APageOfWhatIsKnownIsLikeTheMetaservers) {
  proto::ReadDirReply all = Page(101, {"a", "b", "c"}, true);
  for (proto::DirEntry& entry : *all.mutable_entries()) *entry.mutable_attr() = Attributes(5);
  for (proto::DirEntry& entry : *all.mutable_entries()) entry.set_ino(kFile.value());
  (void)cache_.LearnPage(all, kDirectory, LeaseCache::kNewListing, kNow);
  std::optional<proto::ReadDirReply> page = cache_.ListEntries(kDirectory, "a", 1, true, kNow);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entries_size(), 1);
  EXPECT_EQ(page->entries(0).name(), "b");
  EXPECT_EQ(page->entries(0).mode(), static_cast<std::uint32_t>(S_IFREG));
  EXPECT_EQ(page->entries(0).attr().size(), 5u);
  EXPECT_FALSE(page->end());
  page = cache_.ListEntries(kDirectory, "b", 1, true, kNow);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->end());
  EXPECT_EQ(cache_.ListEntries(kDirectory, "", 1, true, kUntil), std::nullopt);
}

TEST_F(LeaseCacheTest, APageGoesAsFarAsAttributesAreKnown) {
  proto::ReadDirReply all = Page(101, {"a", "b", "c"}, true);
  for (proto::DirEntry& entry : *all.mutable_entries()) *entry.mutable_attr() = Attributes(5);
  all.mutable_entries(0)->set_ino(kFile.value());
  all.mutable_entries(2)->set_ino(kFile.value());  // but "b" leads to another inode
  (void)cache_.LearnPage(all, kDirectory, LeaseCache::kNewListing, kNow);
  EXPECT_THAT(Listed(true), ElementsAre("a"));
  EXPECT_FALSE(cache_.ListEntries(kDirectory, "", 100, true, kNow)->end());
  EXPECT_EQ(cache_.ListEntries(kDirectory, "a", 100, true, kNow), std::nullopt);
}

TEST_F(LeaseCacheTest, ATooLargeDirectoryIsNotComplete) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= LeaseCache::kMaxCompleteNames; ++i) names.push_back(std::to_string(i));
  (void)cache_.LearnPage(Page(101, names, true), kDirectory, LeaseCache::kNewListing, kNow);
  EXPECT_THAT(Listed(), ElementsAre("(unknown)"));
  EXPECT_EQ(Entry("0"), std::nullopt);
}

TEST_F(LeaseCacheTest, AListingThatARecallHasCutInTwoIsNotComplete) {
  const std::uint64_t listing = cache_.LearnPage(Page(101, {"a"}, false), kDirectory, LeaseCache::kNewListing, kNow);
  (void)Recall(kDirectory, 102);
  (void)cache_.LearnPage(Page(103, {"b"}, true), kDirectory, listing, kNow);
  EXPECT_THAT(Listed(), ElementsAre("(unknown)"));
  EXPECT_EQ(Entry("aa"), std::nullopt);
}

TEST_F(LeaseCacheTest, AListingWithoutALeaseIsNotComplete) {
  proto::ReadDirReply page = Page(101, {"a"}, true);
  page.set_entries_leased(false);
  (void)cache_.LearnPage(page, kDirectory, LeaseCache::kNewListing, kNow);
  EXPECT_THAT(Listed(), ElementsAre("(unknown)"));
}

TEST_F(LeaseCacheTest, ADirectoryOfOurOwnMakingIsComplete) {
  cache_.LearnEmpty(Note(101), kDirectory, kNow);
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(Entry("a"), Ino());
  (void)ChangeEntry(102, "a", kFile);
  EXPECT_THAT(Listed(), ElementsAre("a"));
  (void)Recall(kDirectory, 103);
  EXPECT_EQ(Entry("b"), std::nullopt);
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
  cache_.Begin(Note(110), {}, kUntil);
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
  cache_.Begin(Note(7, kEra + 1), {}, kUntil);
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
  const TimePoint until = kNow + LeaseCache::kEntryValidity + LeaseCache::kKernelSlack;
  EXPECT_EQ(cache_.Moved(kDirectory, other, kNow), until) << "no recall of the other one would come here";
  cache_.LearnEntry(Note(102), other, "y", Ino(77), S_IFREG, kNow);
  EXPECT_EQ(cache_.Moved(kDirectory, other, kNow), TimePoint());
  EXPECT_EQ(Recall(other, 103).wait_until, until);
  for (TimePoint now = kNow; now < until; now = now + RunningTime::kTick) (void)cache_.Running(now);
  EXPECT_EQ(cache_.Moved(kDirectory, other, until), TimePoint()) << "it is over";
}

TEST_F(LeaseCacheTest, AttributesBesideAnEntryMayBeTakenInLate) {
  Learn(101, 1);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesBesideEntry(kFile, 101, kLookup, kNow), seconds(9));
  const LeaseCache::KernelWork work = Recall(kFile, 102);
  EXPECT_EQ(work.wait_until, kNow + LeaseCache::kKernelSlack);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
}

TEST_F(LeaseCacheTest, ADowngradeAndALaterRecallAreTwoReturns) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  proto::CommitWriteRequest commit;
  commit.set_ino(kFile.value());
  const auto downgraded = cache_.Downgrade(commit);
  ASSERT_TRUE(downgraded.has_value());
  EXPECT_EQ(commit.downgrade(), 101u);
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  EXPECT_TRUE(cache_.MayFlush(kFile, kNow));
  EXPECT_EQ(cache_.Downgrade(commit), std::nullopt);
  cache_.Learn(Note(103), WriteLeased(5), kNow);  // opened again meanwhile
  const auto flushing = RecallWrite(104);
  ASSERT_TRUE(flushing.has_value());
  cache_.Returned(kFile, *downgraded);
  EXPECT_TRUE(cache_.MayFlush(kFile, kNow));
  cache_.Returned(kFile, *flushing);
  EXPECT_FALSE(cache_.MayFlush(kFile, kNow));
}

TEST_F(LeaseCacheTest, AWriteLeaseLastsAsLongAsTheSession) {
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
  EXPECT_TRUE(cache_.MayFlush(kFile, kNow));
  EXPECT_FALSE(cache_.MayWrite(kFile, kUntil));
  EXPECT_FALSE(cache_.MayFlush(kFile, kUntil));
}

TEST_F(LeaseCacheTest, ARecalledWriteLeaseIsGoodForFlushingUntilItIsReturned) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  const auto flushing = RecallWrite(102);
  ASSERT_TRUE(flushing.has_value());
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  EXPECT_TRUE(cache_.MayFlush(kFile, kNow));
  EXPECT_TRUE(cache_.IsReturning(kFile));
  EXPECT_EQ(RecallWrite(103), std::nullopt);
  cache_.Returned(kFile, *flushing);
  EXPECT_FALSE(cache_.MayFlush(kFile, kNow));
  EXPECT_FALSE(cache_.IsReturning(kFile));
}

TEST_F(LeaseCacheTest, ARecallVoidsAWriteLeaseThatArrivesAfterIt) {
  Recall(kFile, 102);
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  cache_.Learn(Note(103), WriteLeased(5), kNow);
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
}

TEST_F(LeaseCacheTest, ADowngradeVoidsAWriteLeaseThatArrivesAfterIt) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  Learn(103, 5);  // has overtaken the next
  proto::CommitWriteRequest commit;
  commit.set_ino(kFile.value());
  const auto downgraded = cache_.Downgrade(commit);
  ASSERT_TRUE(downgraded.has_value());
  EXPECT_EQ(commit.downgrade(), 103u);
  cache_.Learn(Note(102), WriteLeased(5), kNow);
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  cache_.Returned(kFile, *downgraded);
  cache_.Learn(Note(103), WriteLeased(5), kNow);
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  cache_.Learn(Note(104), WriteLeased(5), kNow);
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
}

TEST_F(LeaseCacheTest, AWriteLeaseIsNotGivenUpAsAnother) {
  proto::Recall recall;
  recall.set_ino(kFile.value());
  recall.set_number(102);
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  EXPECT_FALSE(cache_.RecalledRead(recall).has_value());
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
  const auto flushing = RecallWrite(102);
  ASSERT_TRUE(flushing.has_value());
  EXPECT_FALSE(cache_.RecalledRead(recall).has_value()) << "it is being returned";
  cache_.Returned(kFile, *flushing);
  EXPECT_TRUE(cache_.RecalledRead(recall).has_value());
  EXPECT_FALSE(cache_.IsReturning(kFile));
}

TEST_F(LeaseCacheTest, WriteLeasesMayOutlastTheOthers) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  LearnEntry(102, kFile);
  cache_.Extend(kUntil + seconds(3), kNow, false, true);
  EXPECT_EQ(KnownEntry(kUntil - seconds(1)), kFile);
  EXPECT_EQ(KnownEntry(kUntil), std::nullopt);
  EXPECT_TRUE(cache_.MayWrite(kFile, kUntil));
  EXPECT_TRUE(cache_.MayFlush(kFile, kUntil));
  EXPECT_FALSE(cache_.MayWrite(kFile, kUntil + seconds(3)));
  cache_.Extend(kUntil + seconds(6), kUntil + seconds(1), false, false);
  EXPECT_TRUE(cache_.MayWrite(kFile, kUntil + seconds(1)));
  EXPECT_EQ(KnownEntry(kUntil + seconds(1)), std::nullopt) << "they had lapsed";
}

TEST_F(LeaseCacheTest, ADowngradedLeaseLapsesWithTheOthers) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  proto::CommitWriteRequest commit;
  commit.set_ino(kFile.value());
  ASSERT_TRUE(cache_.Downgrade(commit).has_value());
  cache_.Extend(kUntil + seconds(9), kUntil + seconds(1), true, false);
  EXPECT_EQ(KnownSize(kUntil + seconds(1)), std::nullopt);
  EXPECT_TRUE(cache_.MayFlush(kFile, kUntil + seconds(1)));
}

TEST_F(LeaseCacheTest, AWriteLeaseOutlivesALapseAndOthersDoNot) {
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  cache_.LearnEntry(Note(102), kDirectory, "x", kFile, S_IFREG, kNow);
  cache_.Extend(kUntil + seconds(9), kUntil + seconds(1), true, false);
  EXPECT_TRUE(cache_.MayWrite(kFile, kUntil + seconds(1)));
  EXPECT_EQ(KnownEntry(kUntil + seconds(1)), std::nullopt);
}

TEST_F(LeaseCacheTest, ASessionGoesOnWithTheWriteLeasesThatItKeeps) {
  constexpr Ino kKept[] = {kFile};
  cache_.End();
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
  cache_.Begin(Note(110), kKept, kUntil);
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
  Recall(kFile, 110);  // of before
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
  Recall(kFile, 112);
  EXPECT_FALSE(cache_.MayWrite(kFile, kNow));
}

TEST_F(LeaseCacheTest, AWriteLeaseCountsAlsoWhenNothingIsTakenIn) {
  cache_.ForgetKnown(kNow + seconds(30));
  cache_.Learn(Note(101), WriteLeased(5), kNow);
  EXPECT_TRUE(cache_.MayWrite(kFile, kNow));
  EXPECT_EQ(KnownSize(), std::nullopt);
}

}  // namespace
}  // namespace gabion
