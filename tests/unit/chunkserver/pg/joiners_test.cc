#include "chunkserver/pg/joiners.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

using Part = Joiners::Part;

constexpr PgId kPg{1};
constexpr Epoch kEpoch{5};
constexpr ServerId kJoiner{3};
constexpr ServerId kOther{4};

std::vector<ChunkId> Chunks(std::initializer_list<std::uint64_t> ids) {
  return {ids.begin(), ids.end()};
}

TEST(JoinersTest, ChangesArePassedOnUntilOneFails) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(1), true), Part::kOptional);
  EXPECT_FALSE(joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(1))) << "the client need not know";
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(2), true), Part::kSkip) << "nobody waits for it again";
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kOther, ChunkId(2), true), Part::kOptional) << "another one answers";
  EXPECT_EQ(joiners.TakeMissed(kPg, kEpoch, kJoiner), Chunks({1, 2}));
  EXPECT_TRUE(joiners.TakeMissed(kPg, kEpoch, kJoiner).empty());
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(3), true), Part::kSkip) << "it is still out of reach";
  joiners.Reached(kPg, kEpoch, kJoiner);
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(4), true), Part::kOptional);
  EXPECT_EQ(joiners.TakeMissed(kPg, kEpoch, kJoiner), Chunks({3}));
}

TEST(JoinersTest, WhatItCannotDoYetIsNoted) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(7), false), Part::kSkip);
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(7), true), Part::kOptional)
      << "it is within reach all the same";
  EXPECT_FALSE(joiners.Require(kPg, kEpoch, kJoiner));
  EXPECT_EQ(joiners.TakeMissed(kPg, kEpoch, kJoiner), Chunks({7}));
  EXPECT_TRUE(joiners.Require(kPg, kEpoch, kJoiner));
}

TEST(JoinersTest, OnceRequiredItIsPassedEverything) {
  Joiners joiners;
  EXPECT_TRUE(joiners.RequiredIn(kPg, kEpoch).empty());
  EXPECT_TRUE(joiners.Require(kPg, kEpoch, kJoiner));
  EXPECT_EQ(joiners.RequiredIn(kPg, kEpoch), std::vector<ServerId>{kJoiner});
  EXPECT_TRUE(joiners.RequiredIn(PgId(2), kEpoch).empty());
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(1), true), Part::kRequired);
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(1), false), Part::kRequired) << "it has all there is to copy";
  EXPECT_TRUE(joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(1))) << "the change has failed";
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(2), true), Part::kRequired);
}

TEST(JoinersTest, IsNotRequiredWhileSomethingIsMissing) {
  Joiners joiners;
  joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(1));
  EXPECT_FALSE(joiners.Require(kPg, kEpoch, kJoiner));
  joiners.TakeMissed(kPg, kEpoch, kJoiner);
  EXPECT_FALSE(joiners.Require(kPg, kEpoch, kJoiner)) << "it is out of reach: what is changed now does not get there";
  joiners.Reached(kPg, kEpoch, kJoiner);
  EXPECT_TRUE(joiners.Require(kPg, kEpoch, kJoiner));
}

// One that was passed on before the joiner was required, and fails after.
TEST(JoinersTest, ChangeUnderWayCountsByHowItEnds) {
  Joiners joiners;
  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(1), true), Part::kOptional);
  EXPECT_TRUE(joiners.Require(kPg, kEpoch, kJoiner));
  EXPECT_TRUE(joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(1)));
}

TEST(JoinersTest, NewEpochBeginsAnewAndAnOldOneIsOver) {
  Joiners joiners;
  constexpr Epoch kNext{6};
  joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(1), false);
  joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(2));
  EXPECT_EQ(joiners.PartIn(kPg, kNext, kJoiner, ChunkId(3), true), Part::kOptional);
  EXPECT_TRUE(joiners.TakeMissed(kPg, kNext, kJoiner).empty());
  EXPECT_TRUE(joiners.Require(kPg, kNext, kJoiner));

  EXPECT_EQ(joiners.PartIn(kPg, kEpoch, kJoiner, ChunkId(4), true), Part::kSkip);
  EXPECT_FALSE(joiners.Missed(kPg, kEpoch, kJoiner, ChunkId(4)));
  EXPECT_FALSE(joiners.Require(kPg, kEpoch, kJoiner));
  EXPECT_TRUE(joiners.RequiredIn(kPg, kEpoch).empty());
  EXPECT_EQ(joiners.RequiredIn(kPg, kNext), std::vector<ServerId>{kJoiner}) << "an old epoch changes nothing";
}

}  // namespace
}  // namespace gabion
