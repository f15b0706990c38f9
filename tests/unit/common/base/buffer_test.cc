#include "common/base/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

std::string TextOf(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data()), slice.size()};
}

TEST(SliceTest, PartSharesTheMemoryAndKeepsItAlive) {
  Slice part;
  {
    const Slice whole = Slice::CopyOf(std::string_view("0123456789"));
    part = whole.Part(3, 4);
    EXPECT_EQ(part.data(), whole.data() + 3);
  }
  EXPECT_EQ(TextOf(part), "3456");
}

TEST(SliceTest, PartAtTheEndIsEmpty) {
  const Slice whole = Slice::CopyOf(std::string_view("abc"));
  EXPECT_TRUE(whole.Part(3, 0).empty());
  EXPECT_DEATH(whole.Part(3, 1), "offset");
  EXPECT_DEATH(whole.Part(4, 0), "offset");
  EXPECT_DEATH(whole.Part(1, SIZE_MAX), "offset");
}

TEST(MutableBufferTest, LargeOnesAreAlignedToPages) {
  for (const std::size_t size : {kBlockBytes, kBlockBytes + 1, kMaxPayloadBytes}) {
    MutableBuffer buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % kBlockBytes, 0u) << size;
    std::memset(buffer.data(), 1, size);
  }
}

TEST(MutableBufferTest, SharingGivesTheMemoryAway) {
  MutableBuffer buffer(5);
  std::memcpy(buffer.data(), "hello", 5);
  const std::byte* memory = buffer.data();
  const Slice slice = std::move(buffer).Share();
  EXPECT_EQ(slice.data(), memory);
  EXPECT_EQ(TextOf(slice), "hello");
  EXPECT_EQ(buffer.size(), 0u);  // NOLINT(bugprone-use-after-move)
}

TEST(PayloadTest, KeepsOrderAndDropsEmptySlices) {
  Payload payload;
  payload.Append(Slice::CopyOf(std::string_view("one ")));
  payload.Append(Slice());
  payload.Append(Slice::CopyOf(std::string_view("two")));
  EXPECT_EQ(payload.slices().size(), 2u);
  EXPECT_EQ(payload.size(), 7u);
  EXPECT_EQ(payload.ToString(), "one two");
  EXPECT_EQ(TextOf(payload.Joined()), "one two");
}

TEST(PayloadTest, JoiningOneSliceCopiesNothing) {
  const Slice only = Slice::CopyOf(std::string_view("only"));
  EXPECT_EQ(Payload(only).Joined().data(), only.data());
  EXPECT_TRUE(Payload().Joined().empty());
  EXPECT_TRUE(Payload().empty());
}

}  // namespace
}  // namespace gabion
