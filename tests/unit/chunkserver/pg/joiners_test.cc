#include "chunkserver/pg/joiners.h"

#include <gtest/gtest.h>

#include "tests/unit/chunkserver/pg/chunk_ids.h"

namespace gabion {
namespace {

using Part = Joiners::Part;

constexpr PgId kJoinedPg{1};
constexpr Epoch kEpoch{5};
constexpr ServerId kJoiner{3};
constexpr ServerId kOtherServer{4};

TEST(JoinersTest, ChangesArePassedOnUntilOneFails) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(1), true), Part::kOptional);
  EXPECT_FALSE(joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(1))) << "the client need not know";
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(2), true), Part::kSkip) << "nobody waits for it again";
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kOtherServer, ChunkId(2), true), Part::kOptional)
      << "another one answers";
  EXPECT_EQ(joiners.TakeMissed(kJoinedPg, kEpoch, kJoiner), ChunkIds({1, 2}));
  EXPECT_TRUE(joiners.TakeMissed(kJoinedPg, kEpoch, kJoiner).empty());
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(3), true), Part::kSkip) << "it is still out of reach";
  joiners.Reached(kJoinedPg, kEpoch, kJoiner);
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(4), true), Part::kOptional);
  EXPECT_EQ(joiners.TakeMissed(kJoinedPg, kEpoch, kJoiner), ChunkIds({3}));
}

TEST(JoinersTest, WhatItCannotDoYetIsNoted) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(7), false), Part::kSkip);
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(7), true), Part::kOptional)
      << "it is within reach all the same";
  EXPECT_FALSE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
  EXPECT_EQ(joiners.TakeMissed(kJoinedPg, kEpoch, kJoiner), ChunkIds({7}));
  EXPECT_TRUE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
}

TEST(JoinersTest, OnceRequiredItIsPassedEverything) {
  Joiners joiners;
  EXPECT_TRUE(joiners.RequiredIn(kJoinedPg, kEpoch).empty());
  EXPECT_TRUE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
  EXPECT_EQ(joiners.RequiredIn(kJoinedPg, kEpoch), std::vector<ServerId>{kJoiner});
  EXPECT_TRUE(joiners.RequiredIn(PgId(2), kEpoch).empty());
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(1), true), Part::kRequired);
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(1), false), Part::kRequired)
      << "it has all there is to copy";
  EXPECT_TRUE(joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(1))) << "the change has failed";
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(2), true), Part::kRequired);
}

TEST(JoinersTest, IsNotRequiredWhileSomethingIsMissing) {
  Joiners joiners;
  joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(1));
  EXPECT_FALSE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
  joiners.TakeMissed(kJoinedPg, kEpoch, kJoiner);
  EXPECT_FALSE(joiners.Require(kJoinedPg, kEpoch, kJoiner))
      << "it is out of reach: what is changed now does not get there";
  joiners.Reached(kJoinedPg, kEpoch, kJoiner);
  EXPECT_TRUE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
}

// One that was passed on before the joiner was required, and fails after.
TEST(JoinersTest, ChangeUnderWayCountsByHowItEnds) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(1), true), Part::kOptional);
  EXPECT_TRUE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
  EXPECT_TRUE(joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(1)));
}

TEST(JoinersTest, NewEpochBeginsAnewAndAnOldOneIsOver) {
  Joiners joiners;
  constexpr Epoch kNext{6};
  joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(1), false);
  joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(2));
  EXPECT_EQ(joiners.PartIn(kJoinedPg, kNext, kJoiner, ChunkId(3), true), Part::kOptional);
  EXPECT_TRUE(joiners.TakeMissed(kJoinedPg, kNext, kJoiner).empty());
  EXPECT_TRUE(joiners.Require(kJoinedPg, kNext, kJoiner));

  EXPECT_EQ(joiners.PartIn(kJoinedPg, kEpoch, kJoiner, ChunkId(4), true), Part::kSkip);
  EXPECT_FALSE(joiners.Missed(kJoinedPg, kEpoch, kJoiner, ChunkId(4)));
  EXPECT_FALSE(joiners.Require(kJoinedPg, kEpoch, kJoiner));
  EXPECT_TRUE(joiners.RequiredIn(kJoinedPg, kEpoch).empty());
  EXPECT_EQ(joiners.RequiredIn(kJoinedPg, kNext), std::vector<ServerId>{kJoiner}) << "an old epoch changes nothing";
}

}  // namespace
}  // namespace gabion
