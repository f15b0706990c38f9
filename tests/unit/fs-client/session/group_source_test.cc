#include "fs-client/session/group_source.h"

#include <gmock/gmock.h>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(GroupSourceTest, ReadsTheGroupsLine) {
  EXPECT_THAT(ParseProcStatusGroups("Name:\tcat\nUid:\t1\t1\t1\t1\nGroups:\t4 24 1000 \nNStgid:\t5\n"),
              ElementsAre(4u, 24u, 1000u));
}

TEST(GroupSourceTest, TakesNoGroupsForWhatDoesNotParse) {
  EXPECT_THAT(ParseProcStatusGroups(""), IsEmpty());
  EXPECT_THAT(ParseProcStatusGroups("Name:\tcat\nGroups:\t\n"), IsEmpty());
  EXPECT_THAT(ParseProcStatusGroups("Name:\tGroups: 5\n"), IsEmpty());
  EXPECT_THAT(ParseProcStatusGroups("Name:\tx\nGroups:\t7 what 8\n"), ElementsAre(7u));
  EXPECT_THAT(ParseProcStatusGroups("Name:\tx\nGroups:\t99999999999\n"), IsEmpty());
  EXPECT_THAT(ParseProcStatusGroups("Name:\tx\nGroups:\t7"), ElementsAre(7u));
}

TEST(GroupSourceTest, NobodyHasNoGroups) {
  Caller nobody;
  EXPECT_THAT(MakeProcGroupSource()->GroupsOf(nobody), IsEmpty());
}

}  // namespace
}  // namespace gabion
