#include "metaserver/lease/contention.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{1'000'000'000'000};

TEST(ContentionTest, AnInodeIsContendedForASecond) {
  Contention contention;
  EXPECT_FALSE(contention.IsContended(Ino(5), kStart));
  contention.Note(Ino(5), kStart);
  EXPECT_TRUE(contention.IsContended(Ino(5), kStart + milliseconds(999)));
  EXPECT_FALSE(contention.IsContended(Ino(5), kStart + seconds(1)));
  EXPECT_FALSE(contention.IsContended(Ino(6), kStart));
}

TEST(ContentionTest, ThePauseDoublesWhileItIsWantedAgainSoon) {
  Contention contention;
  TimePoint now = kStart;
  for (Duration pause : {seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(16)}) {
    contention.Note(Ino(5), now);
    EXPECT_TRUE(contention.IsContended(Ino(5), now + pause - milliseconds(1)));
    EXPECT_FALSE(contention.IsContended(Ino(5), now + pause));
    now = now + pause;
  }
  contention.Note(Ino(5), now + seconds(60));
  EXPECT_FALSE(contention.IsContended(Ino(5), now + seconds(61)));
}

TEST(ContentionTest, WantingItMeanwhileDoesNotProlongThePause) {
  Contention contention;
  contention.Note(Ino(5), kStart);
  contention.Note(Ino(5), kStart + milliseconds(900));
  EXPECT_FALSE(contention.IsContended(Ino(5), kStart + seconds(1)));
}

TEST(ContentionTest, MemoryIsBounded) {
  Contention contention;
  for (std::uint64_t ino = 0; ino < Contention::kMaxInodes; ++ino) contention.Note(Ino(ino), kStart);
  EXPECT_TRUE(contention.IsContended(Ino(1), kStart));
  contention.Note(Ino(Contention::kMaxInodes), kStart);  // one too many, and none is over
  EXPECT_FALSE(contention.IsContended(Ino(1), kStart));
  EXPECT_TRUE(contention.IsContended(Ino(Contention::kMaxInodes), kStart));
}

}  // namespace
}  // namespace gabion
