#include "fs-client/vfs/own_opens.h"

#include <gmock/gmock.h>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OwnOpensTest : public testing::Test {
 protected:
  static constexpr Ino kFile{50}, kOther{60};
  static constexpr TimePoint kNow{1'000'000}, kLater{2'000'000};

  std::vector<HandleId> Begin(std::optional<Ino> ino = std::nullopt, TimePoint before = kLater) {
    naming_ = opens_.BeginNaming(ino, before);
    std::vector<HandleId> handles;
    for (const proto::OpenHandle& open : naming_) handles.emplace_back(open.handle_id());
    return handles;
  }

  OwnOpens opens_;
  std::vector<proto::OpenHandle> naming_;
};

TEST_F(OwnOpensTest, NamesThoseOfAFileOrOfAll) {
  ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  ASSERT_TRUE(opens_.Add(HandleId(2), kOther, kNow));
  EXPECT_THAT(Begin(kOther), ElementsAre(HandleId(2)));
  EXPECT_THAT(opens_.EndNaming(naming_, true), IsEmpty());
  EXPECT_FALSE(opens_.Has(kOther));
  EXPECT_TRUE(opens_.Has(kFile));
  EXPECT_THAT(Begin(), ElementsAre(HandleId(1)));
}

TEST_F(OwnOpensTest, NamesOnlyWhatIsOldEnough) {
  ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  EXPECT_THAT(Begin(kFile, kNow), IsEmpty());
  EXPECT_THAT(Begin(kFile, kLater), ElementsAre(HandleId(1)));
}

TEST_F(OwnOpensTest, NobodyHearsOfTheCloseOfWhatNobodyKnows) {
  ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  EXPECT_FALSE(opens_.Remove(HandleId(1), kFile));
  EXPECT_TRUE(opens_.Remove(HandleId(2), kFile)) << "the metaserver opened it";
  ASSERT_TRUE(opens_.Add(HandleId(3), kFile, kNow));
  (void)Begin();
  (void)opens_.EndNaming(naming_, true);
  EXPECT_TRUE(opens_.Remove(HandleId(3), kFile));
}

TEST_F(OwnOpensTest, WhatIsClosedWhileItIsNamedIsReleasedAfterThat) {
  for (bool named : {true, false}) {
    ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
    (void)Begin();
    EXPECT_FALSE(opens_.Remove(HandleId(1), kFile)) << "the release might overtake the naming";
    EXPECT_TRUE(opens_.Has(kFile)) << "who waits for it to be named waits on";
    EXPECT_THAT(opens_.EndNaming(naming_, named), ElementsAre(HandleId(1)));
    EXPECT_FALSE(opens_.Has(kFile));
  }
}

TEST_F(OwnOpensTest, WhatCouldNotBeNamedIsNamedAgain) {
  ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  (void)Begin();
  EXPECT_THAT(opens_.EndNaming(naming_, false), IsEmpty());
  EXPECT_THAT(Begin(), ElementsAre(HandleId(1)));
}

TEST_F(OwnOpensTest, AResumedSessionNamesAllButWhatIsBeingNamed) {
  ASSERT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  (void)Begin();
  ASSERT_TRUE(opens_.Add(HandleId(2), kOther, kNow));
  opens_.NoteNamed();
  EXPECT_FALSE(opens_.Has(kOther));
  EXPECT_TRUE(opens_.Has(kFile));
}

TEST_F(OwnOpensTest, WhatIsBeingRemovedTheMetaserverOpens) {
  {
    const OwnOpens::Removal removal(opens_, kFile);
    const OwnOpens::Removal again(opens_, kFile);
    EXPECT_FALSE(opens_.Add(HandleId(1), kFile, kNow));
    EXPECT_TRUE(opens_.Add(HandleId(2), kOther, kNow));
  }
  EXPECT_TRUE(opens_.Add(HandleId(1), kFile, kNow));
  const OwnOpens::Removal any(opens_, std::nullopt);
  EXPECT_FALSE(opens_.Add(HandleId(3), kOther, kNow));
}

TEST_F(OwnOpensTest, NamesNotTooManyAtOnce) {
  for (std::uint64_t id = 1; id <= OwnOpens::kMaxNamed + 1; ++id) ASSERT_TRUE(opens_.Add(HandleId(id), kFile, kNow));
  EXPECT_EQ(Begin().size(), OwnOpens::kMaxNamed);
  (void)opens_.EndNaming(naming_, true);
  EXPECT_THAT(Begin(), ElementsAre(HandleId(OwnOpens::kMaxNamed + 1)));
}

}  // namespace
}  // namespace gabion
