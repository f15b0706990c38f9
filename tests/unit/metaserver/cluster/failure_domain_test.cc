#include "metaserver/cluster/failure_domain.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(FailureDomainTest, CountsTheMembersNearby) {
  const FailureDomains candidate{"north", "r1", "h1"};
  const struct {
    FailureDomains member;
    Crowding crowding;
  } kCases[] = {
      {{"south", "r9", "h9"}, {0, 0, 0}}, {{"south", "r1", "h9"}, {0, 0, 0}},  // a rack is of its zone
      {{"north", "r2", "h9"}, {1, 0, 0}}, {{"north", "r1", "h9"}, {1, 1, 0}},
      {{"north", "r1", "h1"}, {1, 1, 1}}, {{"south", "r9", "h1"}, {0, 0, 1}},  // a machine is one machine
      {{"", "", "h9"}, {0, 0, 0}},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(CrowdingOf(candidate, {test.member}), test.crowding)
        << test.member.zone << "/" << test.member.rack << "/" << test.member.host;
  }
  EXPECT_EQ(CrowdingOf(candidate, {}), Crowding());
  EXPECT_EQ(CrowdingOf(candidate, {candidate, candidate, {"north", "r2", "h2"}}), (Crowding{3, 2, 2}));
}

TEST(FailureDomainTest, TheWidestDomainDecides) {
  EXPECT_LT((Crowding{0, 0, 9}), (Crowding{1, 0, 0}));
  EXPECT_LT((Crowding{1, 0, 9}), (Crowding{1, 1, 0}));
  EXPECT_LT((Crowding{1, 1, 0}), (Crowding{1, 1, 1}));
}

TEST(FailureDomainTest, WithoutLabelsOnlyTheHostTellsServersApart) {
  const std::vector<FailureDomains> members = {{"", "", "h1"}, {"", "", "h2"}};
  EXPECT_LT(CrowdingOf({"", "", "h3"}, members), CrowdingOf({"", "", "h1"}, members));
}

}  // namespace
}  // namespace gabion
