#include "fs-client/io/dirty_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

std::size_t Write(DirtyData& data, std::uint64_t offset, const std::string& bytes) {
  return data.Write(offset, std::as_bytes(std::span(bytes)));
}

std::string Text(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data()), slice.size()};
}

std::string OverlayText(const DirtyData& data, std::uint64_t begin, std::uint64_t end) {
  std::string text(end - begin, '.');
  for (const PlacedSlice& part : data.Overlay(begin, end)) {
    text.replace(part.offset_bytes - begin, part.slice.size(), Text(part.slice));
  }
  return text;
}

TEST(DirtyDataTest, GathersNeighboursIntoOneFrame) {
  DirtyData data;
  EXPECT_EQ(Write(data, 0, "abc"), 3u);
  EXPECT_EQ(Write(data, 3, "def"), 3u);
  EXPECT_EQ(Write(data, 1, "XY"), 0u) << "overwriting takes no memory";
  WriteFramePtr frame = data.TakeUpTo(data.last_write());
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->offset_bytes, 0u);
  EXPECT_EQ(frame->payload.ToString(), "aXYdef");
  EXPECT_EQ(data.TakeUpTo(data.last_write()), nullptr);
}

TEST(DirtyDataTest, FramesStayWithinAlignedWindows) {
  DirtyData data;
  Write(data, kMaxPayloadBytes - 10, std::string(20, 'x'));
  WriteFramePtr first = data.TakeUpTo(1);
  WriteFramePtr second = data.TakeUpTo(1);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(first->end_bytes(), kMaxPayloadBytes);
  EXPECT_EQ(second->offset_bytes, kMaxPayloadBytes);
}

TEST(DirtyDataTest, SlicesMeetAtBlockBoundaries) {
  DirtyData data;
  for (int i = 0; i < 3000; ++i) Write(data, static_cast<std::uint64_t>(i) * 7, "1234567");
  WriteFramePtr frame = data.TakeUpTo(data.last_write());
  std::uint64_t at = frame->offset_bytes;
  for (const Slice& slice : frame->payload.slices()) {
    EXPECT_EQ(at % kBlockBytes, 0u);
    at += slice.size();
  }
  EXPECT_EQ(frame->payload.size(), 21000u);
}

TEST(DirtyDataTest, StreamsWhatIsLargeAndKeepsTheBegunBlock) {
  DirtyData data;
  Write(data, 0, std::string(DirtyData::kStreamBytes - 1, 'x'));
  Write(data, 100 * DirtyData::kStreamBytes, std::string(DirtyData::kHeldBytes, 'z'));
  while (data.TakeForStreaming() != nullptr) {
  }
  Write(data, DirtyData::kStreamBytes - 1, std::string(101, 'y'));
  WriteFramePtr frame = data.TakeForStreaming();
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->payload.size(), DirtyData::kStreamBytes);
  EXPECT_EQ(data.gathering_bytes(), 100u);
  EXPECT_EQ(OverlayText(data, DirtyData::kStreamBytes, DirtyData::kStreamBytes + 100), std::string(100, 'y'));
}

TEST(DirtyDataTest, WhatIsNotLargeIsHeld) {
  DirtyData data;
  Write(data, 0, std::string(DirtyData::kHeldBytes, 'x'));
  EXPECT_EQ(data.TakeForStreaming(), nullptr);
  Write(data, DirtyData::kHeldBytes, "x");
  WriteFramePtr frame = data.TakeForStreaming();
  ASSERT_NE(frame, nullptr);
  data.Landed(frame);
  data.BeginCommit();
  (void)data.EndCommit();
  Write(data, 2 * DirtyData::kHeldBytes, std::string(DirtyData::kStreamBytes, 'y'));
  EXPECT_NE(data.TakeForStreaming(), nullptr) << "it is not short-lived";
}

TEST(DirtyDataTest, OverlappingFramesAreNeverUnderWayTogether) {
  DirtyData data;
  Write(data, 0, "old");
  WriteFramePtr first = data.TakeUpTo(1);
  Write(data, 1, "new");
  EXPECT_EQ(data.TakeUpTo(2), nullptr);
  EXPECT_TRUE(data.HasGathering(2));
  data.Landed(first);
  WriteFramePtr second = data.TakeUpTo(2);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->payload.ToString(), "new");
}

TEST(DirtyDataTest, OverlayShowsTheNewestOfGatheringAndSending) {
  DirtyData data;
  Write(data, 0, "aaaaaa");
  WriteFramePtr sent = data.TakeUpTo(1);
  Write(data, 2, "BB");
  EXPECT_EQ(OverlayText(data, 0, 8), "aaBBaa..");
  EXPECT_EQ(OverlayText(data, 3, 5), "Ba");
  data.Landed(sent);
  EXPECT_EQ(OverlayText(data, 0, 6), "..BB..") << "what has landed is read from the servers";
}

TEST(DirtyDataTest, CountsTheBytesOfEveryState) {
  DirtyData data;
  Write(data, 0, "12345");
  Write(data, 100, "123");
  WriteFramePtr landed = data.TakeUpTo(2);
  WriteFramePtr dropped = data.TakeUpTo(2);
  EXPECT_EQ(data.total_bytes(), 8u);
  EXPECT_EQ(data.end_bytes(), 103u);
  data.Landed(landed);
  EXPECT_EQ(data.Dropped(dropped), 3u);
  EXPECT_EQ(data.landed_bytes(), 5u);
  data.BeginCommit();
  EXPECT_TRUE(data.HasUncommitted(2));
  EXPECT_EQ(data.end_bytes(), 5u);
  EXPECT_EQ(data.EndCommit(), 5u);
  EXPECT_TRUE(data.empty());
  EXPECT_EQ(data.total_bytes(), 0u);
}

TEST(DirtyDataTest, TakesBackOnlyWhatNothingNewerCovers) {
  DirtyData data;
  Write(data, 0, "aaaaaa");
  data.Landed(data.TakeUpTo(1));
  data.BeginCommit();
  Write(data, 2, "BB");
  WriteFramePtr newer = data.TakeUpTo(2);
  std::string again = "......";
  for (const PlacedSlice& part : data.TakeBackCommitting()) {
    again.replace(part.offset_bytes, part.slice.size(), Text(part.slice));
  }
  EXPECT_EQ(again, "aa..aa");
  Write(data, 0, "C");
  EXPECT_EQ(data.TakeUpTo(3), nullptr) << "waits until what lies below it is stored again";
  data.EndCommit();
  EXPECT_NE(data.TakeUpTo(3), nullptr);
}

/// Random writes, frames and landings against a plain map of bytes: what the servers would have, with the overlay over
/// it, is always what was written last.
TEST(DirtyDataTest, AgreesWithAMapOfBytes) {
  constexpr std::uint64_t kSpace = 2 * kMaxPayloadBytes;
  SimRandom random(17);
  DirtyData data;
  std::string expected(kSpace, '.');
  std::string stored(kSpace, '.');
  std::vector<WriteFramePtr> sending;
  std::size_t memory = 0;
  for (int step = 0; step < 3000; ++step) {
    std::uint64_t choice = random.Below(10);
    if (choice < 6) {
      std::uint64_t base = random.Below(4) * kMaxPayloadBytes / 2;
      std::uint64_t offset = base + random.Below(30'000);
      std::size_t size = 1 + random.Below(random.Chance(1, 8) ? 20'000 : 300);
      std::string bytes(size, static_cast<char>('a' + random.Below(26)));
      if (offset + size > kSpace) continue;
      memory += Write(data, offset, bytes);
      expected.replace(offset, size, bytes);
    } else if (choice < 8) {
      WriteFramePtr frame = data.TakeUpTo(data.last_write() - random.Below(data.last_write() + 1));
      if (frame != nullptr) sending.push_back(frame);
    } else if (!sending.empty()) {
      auto chosen = sending.begin() + static_cast<std::ptrdiff_t>(random.Below(sending.size()));
      stored.replace((*chosen)->offset_bytes, (*chosen)->payload.size(), (*chosen)->payload.ToString());
      data.Landed(*chosen);
      sending.erase(chosen);
      if (random.Chance(1, 4)) {
        data.BeginCommit();
        memory -= data.EndCommit();
      }
    }
    ASSERT_EQ(data.total_bytes(), memory);
    std::uint64_t begin = random.Below(kSpace - 40'000);
    std::string seen = stored.substr(begin, 40'000);
    std::uint64_t last = begin;
    for (const PlacedSlice& part : data.Overlay(begin, begin + 40'000)) {
      ASSERT_GE(part.offset_bytes, last) << "in order, without overlap";
      last = part.offset_bytes + part.slice.size();
      seen.replace(part.offset_bytes - begin, part.slice.size(), Text(part.slice));
    }
    ASSERT_EQ(seen, expected.substr(begin, 40'000)) << "at step " << step;
  }
}

}  // namespace
}  // namespace gabion
