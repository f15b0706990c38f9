#include "fs-client/lease/told_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ToldEntriesTest : public testing::Test {
 protected:
  static constexpr TimePoint kNow{1'000'000'000'000};
  static constexpr TimePoint kLater = kNow + seconds(3);
  static constexpr Ino kOne{1}, kOther{2};

  bool Add(Ino directory, const std::string& name, TimePoint until = kLater, TimePoint now = kNow) {
    return told_.Add(directory, name, until, now);
  }
  std::vector<std::string> NamesOf(Ino directory, TimePoint now = kNow) {
    return told_.Of(directory, std::nullopt, told_.last(), now).names;
  }

  ToldEntries told_;
};

TEST_F(ToldEntriesTest, KnowsWhatIsStillUsed) {
  Add(kOne, "a", kNow + seconds(1));
  Add(kOne, "b", kNow + seconds(2));
  Add(kOther, "c", kNow + seconds(1));
  EXPECT_THAT(told_.Directories(), UnorderedElementsAre(kOne, kOther));
  EXPECT_THAT(NamesOf(kOne), ElementsAre("a", "b"));
  EXPECT_EQ(told_.Of(kOne, std::nullopt, told_.last(), kNow).until, kNow + seconds(2));
  EXPECT_EQ(told_.until(), kNow + seconds(2));
  EXPECT_THAT(told_.Of(kOne, std::set<std::string>{"b", "c"}, told_.last(), kNow).names, ElementsAre("b"));
  EXPECT_THAT(NamesOf(kOne, kNow + seconds(1)), ElementsAre("b"));
  EXPECT_THAT(NamesOf(kOther, kNow + seconds(1)), IsEmpty());
  EXPECT_FALSE(told_.Has(kOther));
}

TEST_F(ToldEntriesTest, AnEarlierTimeDoesNotEndALaterOne) {
  Add(kOne, "a", kNow + seconds(3));
  Add(kOne, "a", kNow + seconds(2));
  EXPECT_EQ(told_.UntilOf(kOne, "a"), kNow + seconds(3));
  EXPECT_EQ(told_.UntilOf(kOne, "b"), TimePoint());
  EXPECT_EQ(told_.UntilOf(kOther, "a"), TimePoint());
}

TEST_F(ToldEntriesTest, WhatWasToldLaterIsNotForgotten) {
  Add(kOne, "a");
  Add(kOne, "b");
  const std::uint64_t up_to = told_.last();
  Add(kOne, "a");
  EXPECT_THAT(told_.Of(kOne, std::nullopt, up_to, kNow).names, ElementsAre("b"));
  told_.Remove(kOne, {"a", "b"}, up_to);
  EXPECT_THAT(NamesOf(kOne), ElementsAre("a"));
  told_.Remove(kOne, {"a"}, told_.last());
  EXPECT_FALSE(told_.Has(kOne));
}

TEST_F(ToldEntriesTest, AMovedEntryIsOneUnderBothNames) {
  Add(kOne, "a");
  const std::uint64_t up_to = told_.last();
  told_.Move(kOne, "a", kOther, "b");
  told_.Move(kOne, "absent", kOther, "c");
  EXPECT_THAT(told_.Of(kOther, std::nullopt, up_to, kNow).names, ElementsAre("b"))
      << "it was told when the first one was";
  EXPECT_THAT(NamesOf(kOne), ElementsAre("a"));
}

TEST_F(ToldEntriesTest, ADirectoryHasSoMany) {
  for (std::size_t i = 0; i < ToldEntries::kMaxPerDirectory; ++i) {
    ASSERT_TRUE(Add(kOne, std::to_string(i), i == 5 ? kNow + seconds(1) : kLater));
  }
  EXPECT_FALSE(Add(kOne, "more"));
  EXPECT_TRUE(Add(kOne, "7")) << "it is there already";
  EXPECT_TRUE(Add(kOther, "more"));
  EXPECT_TRUE(Add(kOne, "more", kLater, kNow + seconds(1))) << "one is over";
  EXPECT_FALSE(Add(kOne, "yet more", kLater, kNow + seconds(1)));
}

TEST_F(ToldEntriesTest, AllDirectoriesHaveSoMany) {
  for (std::size_t i = 0; i < ToldEntries::kMaxNames; ++i) {
    ASSERT_TRUE(Add(Ino(1 + i / 1000), std::to_string(i), i == 5 ? kNow + seconds(1) : kLater));
  }
  EXPECT_FALSE(Add(Ino(999'999), "more"));
  EXPECT_TRUE(Add(Ino(999'999), "more", kLater, kNow + seconds(1))) << "one is over";
  EXPECT_FALSE(Add(Ino(999'999), "yet more", kLater, kNow + seconds(1)));
  told_.Remove(Ino(999'999), {"more"}, told_.last());
  EXPECT_TRUE(Add(kOne, "yet more", kLater, kNow + seconds(1)));
}

}  // namespace
}  // namespace gabion
