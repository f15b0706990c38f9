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

proto::LeaseNote Note(std::uint64_t number, std::uint64_t era = kEra) {
  proto::LeaseNote note;
  note.set_era(era);
  note.set_number(number);
  return note;
}

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

  std::optional<std::uint64_t> KnownSize(TimePoint now = kNow) {
    const std::optional<LeaseCache::Known> known = cache_.Find(kFile, now);
    return known ? std::optional(known->attr.size()) : std::nullopt;
  }
  LeaseCache::KernelWork Recall(Ino ino, std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(ino.value());
    recall.set_number(number);
    return cache_.Recalled(std::span(&recall, 1));
  }
  LeaseCache::KernelWork Change(Ino ino, std::uint64_t number) {
    proto::LeaseNote note = Note(number);
    note.add_changed(ino.value());
    return cache_.Changed(note);
  }

  LeaseCache cache_;
};

TEST_F(LeaseCacheTest, WhatIsLeasedIsKnown) {
  cache_.Learn(Note(101), Attributes(5));
  EXPECT_EQ(KnownSize(), 5u);
  EXPECT_EQ(cache_.size(), 1u);
}

TEST_F(LeaseCacheTest, WhatIsNotLeasedIsNot) {
  cache_.Learn(Note(101), Attributes(5, false));
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, NothingIsUsedWhenTheSessionMayHaveLapsed) {
  cache_.Learn(Note(101), Attributes(5));
  EXPECT_EQ(KnownSize(kUntil), std::nullopt);
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kUntil), Duration(0));
  (void)cache_.Extend(kUntil + seconds(9), kUntil);  // too late for what was held
  EXPECT_EQ(KnownSize(kUntil), std::nullopt);
}

TEST_F(LeaseCacheTest, RenewalInTimeKeepsTheLeases) {
  cache_.Learn(Note(101), Attributes(5));
  EXPECT_TRUE(cache_.Extend(kUntil + seconds(3), kUntil - seconds(1)).empty());
  EXPECT_EQ(KnownSize(kUntil), 5u);
}

TEST_F(LeaseCacheTest, TheKernelMayUseThemAsLongAsTheSessionIsGood) {
  cache_.Learn(Note(101), Attributes(5));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), seconds(9));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow + seconds(8)), seconds(1));
  cache_.Learn(Note(102), Attributes(6));
  EXPECT_EQ(cache_.AttributesFor(kFile, 101, kNow), Duration(0));  // not these any more
}

TEST_F(LeaseCacheTest, ARecalledLeaseIsGone) {
  cache_.Learn(Note(101), Attributes(5));
  EXPECT_TRUE(Recall(kFile, 105).empty());  // the kernel was told nothing
  EXPECT_EQ(KnownSize(), std::nullopt);
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(LeaseCacheTest, TheKernelForgetsWhatItWasTold) {
  cache_.Learn(Note(101), Attributes(5));
  cache_.LearnDirectory(Note(101), kDirectory);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_EQ(cache_.EntryFor(kDirectory, Note(101), kNow), seconds(9));
  LeaseCache::KernelWork work = Recall(kFile, 105);
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
  EXPECT_FALSE(work.entries);
  work = Recall(kDirectory, 106);
  EXPECT_THAT(work.attributes, IsEmpty());
  EXPECT_TRUE(work.entries);
}

TEST_F(LeaseCacheTest, AnAnswerThatARecallHasOvertakenGrantsNothing) {
  (void)Recall(kFile, 105);
  cache_.Learn(Note(104), Attributes(5));
  EXPECT_EQ(KnownSize(), std::nullopt);
  EXPECT_EQ(cache_.EntryFor(kFile, Note(104), kNow), Duration(0));
  cache_.Learn(Note(106), Attributes(6));
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, ARecallThatANewGrantHasOvertakenTakesNothing) {
  cache_.Learn(Note(106), Attributes(6));
  (void)Recall(kFile, 105);
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, AnOldAnswerDoesNotTakeTheNewOnesPlace) {
  cache_.Learn(Note(103), Attributes(6));
  cache_.Learn(Note(102), Attributes(5));
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, WhatOurOwnOpChangedIsNotKnownAnyMore) {
  cache_.Learn(Note(101), Attributes(5));
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_THAT(Change(kFile, 103).attributes, ElementsAre(kFile));
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(Note(102), Attributes(5));  // seen before the change
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Learn(Note(103), Attributes(7));  // the change's own answer
  EXPECT_EQ(KnownSize(), 7u);
}

TEST_F(LeaseCacheTest, OurOwnChangeKeepsTheLeaseOnTheDirectory) {
  cache_.LearnDirectory(Note(101), kDirectory);
  (void)Change(kDirectory, 103);
  EXPECT_EQ(cache_.EntryFor(kDirectory, Note(103), kNow), seconds(9));
}

TEST_F(LeaseCacheTest, AnswersOfAnotherEraGrantNothing) {
  cache_.Learn(Note(500, kEra + 1), Attributes(5));
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, AnswersFromBeforeTheSessionWentOnGrantNothing) {
  cache_.Learn(Note(100), Attributes(5));
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, BetweenTwoErasNothingIsTakenIn) {
  cache_.Learn(Note(101), Attributes(5));
  (void)cache_.AttributesFor(kFile, 101, kNow);
  EXPECT_THAT(cache_.End().attributes, ElementsAre(kFile));
  cache_.Learn(Note(102), Attributes(5));
  EXPECT_EQ(KnownSize(), std::nullopt);
  cache_.Begin(Note(7, kEra + 1), kUntil);
  cache_.Learn(Note(8, kEra + 1), Attributes(6));
  EXPECT_EQ(KnownSize(), 6u);
}

TEST_F(LeaseCacheTest, WhatMayOrMayNotBeDoneMakesNothingKnown) {
  cache_.Learn(Note(101), Attributes(5));
  cache_.LearnDirectory(Note(101), kDirectory);
  (void)cache_.AttributesFor(kFile, 101, kNow);
  (void)cache_.EntryFor(kDirectory, Note(101), kNow);
  const LeaseCache::KernelWork work = cache_.ForgetKnown();
  EXPECT_THAT(work.attributes, ElementsAre(kFile));
  EXPECT_TRUE(work.entries);
  EXPECT_EQ(KnownSize(), std::nullopt);
}

TEST_F(LeaseCacheTest, OldNumbersAreForgottenTogether) {
  for (std::uint64_t i = 0; i <= LeaseCache::kMaxFloors; ++i) (void)Recall(Ino(1000 + i), 200 + i);
  proto::Attr attr = Attributes(5);
  attr.set_ino(1000);
  cache_.Learn(Note(199), attr);  // its number is forgotten, and holds for all
  EXPECT_EQ(cache_.Find(Ino(1000), kNow), std::nullopt);
  cache_.Learn(Note(201), attr);
  EXPECT_NE(cache_.Find(Ino(1000), kNow), std::nullopt);
}

}  // namespace
}  // namespace gabion
