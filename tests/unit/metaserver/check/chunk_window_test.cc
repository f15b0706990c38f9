#include "metaserver/check/chunk_window.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

constexpr PgId kPg{4};

std::vector<std::uint64_t> UnknownOf(const ChunkWindow& window) {
  std::vector<std::uint64_t> chunks;
  for (std::size_t at = 0; at < window.size();)
    at = window.VisitUnknown(at, 1, [&](ChunkId chunk, PgId) { chunks.push_back(chunk.value()); });
  return chunks;
}

TEST(ChunkWindowTest, TellsWhichMembersHaveAChunk) {
  ChunkWindow window(ChunkId(1));
  window.AddCopy(ChunkId(5), kPg, 0);
  window.AddCopy(ChunkId(5), kPg, 2);
  window.AddCopy(ChunkId(7), kPg, 1);
  EXPECT_EQ(window.size(), 2u);
  EXPECT_EQ(window.MarkKnown(ChunkId(5), kPg), 0b101u);
  EXPECT_EQ(window.MarkKnown(ChunkId(6), kPg), 0u);
  EXPECT_EQ(window.MarkKnown(ChunkId(7), kPg), 0b010u);
}

TEST(ChunkWindowTest, CopyOfANonMemberOrAnotherGroupDoesNotCount) {
  ChunkWindow window(ChunkId(1));
  window.AddCopy(ChunkId(5), kPg, std::nullopt);
  window.AddCopy(ChunkId(7), kPg, 1);
  EXPECT_EQ(window.MarkKnown(ChunkId(5), kPg), 0u);
  EXPECT_EQ(window.MarkKnown(ChunkId(7), PgId(9)), 0u);
}

TEST(ChunkWindowTest, WhatIsNotMarkedIsUnknown) {
  ChunkWindow window(ChunkId(1));
  for (std::uint64_t chunk : {2, 3, 4, 5}) window.AddCopy(ChunkId(chunk), kPg, 0);
  window.MarkKnown(ChunkId(3), kPg);
  window.MarkGarbage(ChunkId(4));
  window.MarkGarbage(ChunkId(40));
  EXPECT_EQ(UnknownOf(window), (std::vector<std::uint64_t>{2, 5}));
}

TEST(ChunkWindowTest, CoversItsRange) {
  ChunkWindow window(ChunkId(10));
  EXPECT_FALSE(window.Covers(ChunkId(9)));
  EXPECT_TRUE(window.Covers(ChunkId(UINT64_MAX)));
  window.CloseAt(ChunkId(20));
  EXPECT_TRUE(window.Covers(ChunkId(20)));
  EXPECT_FALSE(window.Covers(ChunkId(21)));
}

}  // namespace
}  // namespace gabion
