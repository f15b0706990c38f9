#include "chunkserver/pg/pg_table.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/chunkserver/pg/chunk_ids.h"

namespace gabion {
namespace {

constexpr PgId kPg{1};
constexpr PgId kOther{2};

/// A table that notes which groups are to be settled again.
struct Bench {
  std::vector<PgId> failed;
  PgTable table{[this](PgId pg) { failed.push_back(pg); }};

  void Serve(PgId pg, Epoch epoch) {
    std::uint64_t turn = table.BeginSettling(pg);
    ASSERT_TRUE(table.EndSettling(pg, epoch, turn));
  }
};

TEST(PgTableTest, ChangesCountUntilTheyEnd) {
  Bench bench;
  PgTable& table = bench.table;
  std::optional<PgTable::Change> first(table.BeginChange(kPg, ChunkId(9), false));
  std::optional<PgTable::Change> second(table.BeginChange(kPg, ChunkId(9), true));
  PgTable::Change moved = table.BeginChange(kPg, ChunkId(3), true);
  PgTable::Change third(std::move(moved));
  EXPECT_EQ(table.ChangesOf(kPg), ChunkIds({3, 9}));
  EXPECT_TRUE(table.ChangesOf(kOther).empty());
  EXPECT_FALSE(table.IsChanging(kOther, ChunkId(9)));
  first.reset();
  EXPECT_TRUE(table.IsChanging(kPg, ChunkId(9))) << "there is another";
  second.reset();
  EXPECT_FALSE(table.IsChanging(kPg, ChunkId(9)));
  EXPECT_EQ(table.ChangesOf(kPg), ChunkIds({3}));
}

TEST(PgTableTest, TouchedIsWhatAPrimaryBeganToChange) {
  Bench bench;
  PgTable& table = bench.table;
  { PgTable::Change change = table.BeginChange(kPg, ChunkId(1), true); }
  { PgTable::Change change = table.BeginChange(kPg, ChunkId(2), false); }
  EXPECT_TRUE(table.WasTouched(kPg, ChunkId(1))) << "also when it has ended";
  EXPECT_FALSE(table.WasTouched(kPg, ChunkId(2)));
  EXPECT_EQ(table.TakeTouched(kPg), ChunkIds({1}));
  EXPECT_FALSE(table.WasTouched(kPg, ChunkId(1)));
  EXPECT_TRUE(table.TakeTouched(kPg).empty());
  EXPECT_TRUE(table.TakeTouched(kOther).empty());
}

TEST(PgTableTest, ServesTheEpochThatItSettledAndNoOther) {
  Bench bench;
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(3)));
  bench.Serve(kPg, Epoch(3));
  EXPECT_TRUE(bench.table.Serves(kPg, Epoch(3)));
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(4)));
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(2)));
  EXPECT_FALSE(bench.table.Serves(kOther, Epoch(3)));
  bench.table.BeginSettling(kPg);
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(3))) << "not while it settles";
}

TEST(PgTableTest, FailureEndsServingAndIsToldOnce) {
  Bench bench;
  bench.Serve(kPg, Epoch(3));
  bench.table.Fail(kPg, Epoch(2));
  EXPECT_TRUE(bench.table.Serves(kPg, Epoch(3))) << "a failure in an epoch that has ended";
  EXPECT_TRUE(bench.failed.empty());
  bench.table.Fail(kPg, Epoch(3));
  bench.table.Fail(kPg, Epoch(3));
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(3)));
  EXPECT_EQ(bench.failed, std::vector<PgId>{kPg});
}

TEST(PgTableTest, SettlingThatWasBegunAgainDoesNotServe) {
  Bench bench;
  std::uint64_t before = bench.table.BeginSettling(kPg);
  std::uint64_t after = bench.table.BeginSettling(kPg);
  EXPECT_FALSE(bench.table.EndSettling(kPg, Epoch(3), before));
  EXPECT_FALSE(bench.table.Serves(kPg, Epoch(3)));
  EXPECT_TRUE(bench.table.EndSettling(kPg, Epoch(3), after));
}

TEST(PgTableTest, MemberIsSettledInTheEpochItWasTold) {
  Bench bench;
  EXPECT_FALSE(bench.table.IsSettled(kPg, Epoch(3)));
  bench.table.SetSettled(kPg, Epoch(3));
  EXPECT_TRUE(bench.table.IsSettled(kPg, Epoch(3)));
  EXPECT_FALSE(bench.table.IsSettled(kPg, Epoch(4)));
  EXPECT_FALSE(bench.table.IsSettled(kOther, Epoch(3)));
}

TEST(PgTableTest, ReleasedGroupIsNeitherServedNorSettledUpToItsEpoch) {
  Bench bench;
  PgTable& table = bench.table;
  bench.Serve(kPg, Epoch(3));
  table.SetSettled(kOther, Epoch(3));
  table.SetReleased(kPg, Epoch(3));
  table.SetReleased(kOther, Epoch(3));
  EXPECT_FALSE(table.Serves(kPg, Epoch(3)));
  EXPECT_FALSE(table.IsSettled(kOther, Epoch(3)));
  EXPECT_TRUE(table.IsReleased(kPg, Epoch(2)));
  EXPECT_TRUE(table.IsReleased(kPg, Epoch(3)));
  EXPECT_FALSE(table.IsReleased(kPg, Epoch(4)));
  ASSERT_EQ(table.Releases().size(), 2u);
  EXPECT_EQ(table.Releases().at(0).pg, kPg);
  EXPECT_EQ(table.Releases().at(0).epoch, Epoch(3));

  EXPECT_FALSE(table.EndSettling(kPg, Epoch(3), table.BeginSettling(kPg))) << "what was under way when it was released";
  table.SetSettled(kOther, Epoch(3));
  EXPECT_FALSE(table.IsSettled(kOther, Epoch(3)));

  bench.Serve(kPg, Epoch(4));
  table.SetSettled(kOther, Epoch(4));
  EXPECT_TRUE(table.Serves(kPg, Epoch(4))) << "a later epoch is another matter";
  EXPECT_TRUE(table.IsSettled(kOther, Epoch(4)));
  table.ForgetRelease(kPg);
  EXPECT_FALSE(table.IsReleased(kPg, Epoch(3)));
  EXPECT_EQ(table.Releases().size(), 1u);
}

}  // namespace
}  // namespace gabion
