#include "fs-client/lease/known_names.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

constexpr Ino kOne(1), kTwo(2);

class KnownNamesTest : public testing::Test {
 protected:
  void Learn(const std::string& name, Ino ino, std::uint64_t number) { names_.Learn(name, {ino, 0, number}); }
  void Change(const std::string& name, Ino ino, std::uint64_t number) { names_.Change(name, {ino, 0, number}); }
  /// All names of the directory in one page.
  void List(std::uint64_t number, const std::vector<std::string>& all) {
    ASSERT_TRUE(names_.BeginListing(number));
    for (const std::string& name : all) Learn(name, kOne, number);
    names_.CompleteListing(number, number);
  }
  std::optional<Ino> Find(const std::string& name) const {
    const std::optional<KnownNames::Entry> entry = names_.Find(name);
    return entry ? std::optional(entry->ino) : std::nullopt;
  }

  KnownNames names_;
};

TEST_F(KnownNamesTest, WhatIsNotHeldIsKnownToBeAbsentOnlyInACompleteDirectory) {
  Learn("a", kOne, 5);
  EXPECT_EQ(Find("a"), kOne);
  EXPECT_EQ(Find("b"), std::nullopt);
  List(6, {"a"});
  EXPECT_EQ(Find("b"), Ino());
}

TEST_F(KnownNamesTest, AChangeThatTheListingHasSeenIsOld) {
  List(10, {"a"});
  Change("b", kTwo, 9);  // made and, by another op of ours, removed before the listing
  EXPECT_EQ(Find("b"), Ino());
  Change("c", kTwo, 11);
  EXPECT_EQ(Find("c"), kTwo);
  EXPECT_TRUE(names_.complete());
}

TEST_F(KnownNamesTest, AChangeBetweenTwoPagesOfWhatWasListedCannotBePlaced) {
  ASSERT_TRUE(names_.BeginListing(10));
  Learn("a", kOne, 10);
  Learn("m", kOne, 20);
  names_.CompleteListing(10, 20);
  Change("b", kTwo, 15);
  EXPECT_FALSE(names_.complete());
  EXPECT_EQ(Find("b"), std::nullopt);
}

TEST_F(KnownNamesTest, AChangeBetweenTwoPagesThatCameInTimeIsPartOfIt) {
  ASSERT_TRUE(names_.BeginListing(10));
  Learn("a", kOne, 10);
  Change("a", Ino(), 15);
  Change("b", kTwo, 16);
  Learn("m", kOne, 20);
  names_.CompleteListing(10, 20);
  EXPECT_TRUE(names_.complete());
  EXPECT_EQ(Find("a"), Ino());
  EXPECT_EQ(Find("b"), kTwo);
}

TEST_F(KnownNamesTest, WhatTheListingDidNotShowIsGone) {
  Learn("old", kOne, 5);
  List(10, {"a"});
  EXPECT_EQ(Find("old"), Ino());
}

TEST_F(KnownNamesTest, AnAnswerThatContradictsACompleteListingMakesNothingKnown) {
  ASSERT_TRUE(names_.BeginListing(10));
  Learn("a", kOne, 10);
  Learn("m", kOne, 20);
  names_.CompleteListing(10, 20);
  Learn("b", kTwo, 9);  // before it: removed since
  EXPECT_EQ(Find("b"), Ino());
  Learn("b", kTwo, 15);
  EXPECT_FALSE(names_.complete());
}

TEST_F(KnownNamesTest, ALaterAnswerAddsToACompleteListing) {
  List(10, {"a"});
  Learn("b", kTwo, 11);  // made by an op of ours that is not answered yet
  EXPECT_EQ(Find("b"), kTwo);
  Change("b", kTwo, 11);
  EXPECT_TRUE(names_.complete());
}

TEST_F(KnownNamesTest, AListingIsCutShortByForgetting) {
  ASSERT_TRUE(names_.BeginListing(10));
  EXPECT_TRUE(names_.IsListing(10));
  names_.Forget(12);
  EXPECT_FALSE(names_.IsListing(10));
  EXPECT_FALSE(names_.BeginListing(11)) << "its first page is old";
  EXPECT_TRUE(names_.BeginListing(12));
}

TEST_F(KnownNamesTest, OfTwoListingsTheLaterMayBecomeComplete) {
  ASSERT_TRUE(names_.BeginListing(10));
  ASSERT_TRUE(names_.BeginListing(11));
  EXPECT_FALSE(names_.IsListing(10));
  EXPECT_TRUE(names_.IsListing(11));
}

TEST_F(KnownNamesTest, AnAbsentNameIsOlderThanALaterLookAtIt) {
  List(10, {"a"});
  Learn("b", Ino(), 13);
  Change("b", kTwo, 11);  // removed again by an op of ours whose answer is still on its way
  EXPECT_EQ(Find("b"), Ino());
}

TEST_F(KnownNamesTest, ManyRemovedNamesAreDropped) {
  List(10, {"a"});
  const std::uint64_t removals = 3 * KnownNames::kMaxAbsent;
  for (std::uint64_t i = 0; i < removals; ++i) {
    const std::string name = fmt::format("temporary-{}", i);
    Change(name, kTwo, 11 + 2 * i);
    Change(name, Ino(), 12 + 2 * i);
  }
  EXPECT_LE(names_.size(), KnownNames::kMaxAbsent + 1);
  EXPECT_TRUE(names_.complete());
  Change("temporary-0", kTwo, 11);  // the answer to its making comes late: nobody knows any more what came after
  EXPECT_NE(Find("temporary-0"), kTwo);
}

TEST_F(KnownNamesTest, RemovedNamesThatWereListedAreDroppedToo) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < 2 * KnownNames::kMaxAbsent; ++i) all.push_back(fmt::format("{}", i));
  List(10, all);
  for (std::size_t i = 0; i < all.size(); ++i) Change(all[i], Ino(), 11 + i);
  EXPECT_LE(names_.size(), KnownNames::kMaxAbsent);
  EXPECT_EQ(Find("0"), Ino());
}

}  // namespace
}  // namespace gabion
