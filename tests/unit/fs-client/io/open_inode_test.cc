#include "fs-client/io/open_inode.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace gabion {
namespace {

using Verdict = OpenInode::Verdict;

proto::Attr AttrOf(std::uint64_t version, std::uint64_t size, std::int64_t ctime_ns = 0) {
  proto::Attr attr;
  attr.set_ino(5);
  attr.set_mode(S_IFREG | 0644);
  attr.set_data_version(version);
  attr.set_size(size);
  attr.set_ctime_ns(ctime_ns);
  attr.mutable_first_chunk()->set_chunk_id(9);
  return attr;
}

class OpenInodeTest : public testing::Test {
 protected:
  OpenInodeTest() {
    inode_.Adopt(AttrOf(1, 100), true);
    inode_.chunks.Set(3, ChunkPlace{ChunkId(33), PgId(1)});
  }
  OpenInode inode_{Ino(5)};
};

TEST_F(OpenInodeTest, SameVersionIsCurrent) {
  EXPECT_EQ(inode_.Observe(AttrOf(1, 100, 7)), Verdict::kCurrent);
  EXPECT_EQ(inode_.known.ctime_ns, 7);
  EXPECT_TRUE(inode_.chunks.Find(3).has_value());
}

TEST_F(OpenInodeTest, ForeignChangeVoidsWhatWasDerived) {
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kForeign);
  EXPECT_EQ(inode_.Size(), 50u);
  EXPECT_FALSE(inode_.chunks.Find(3).has_value());
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kForeign) << "until the kernel has dropped its pages";
  inode_.EndPageDrop(inode_.BeginPageDrop());
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kCurrent);
}

TEST_F(OpenInodeTest, WhatTheKernelHasNoPagesOfIsCurrent) {
  inode_.EndPageDrop(inode_.BeginPageDrop());
  EXPECT_FALSE(inode_.kernel_has_pages);
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kCurrent);
  inode_.NotePages();
  EXPECT_EQ(inode_.kernel_version, 2u) << "they are of the version that is known by then";
  EXPECT_EQ(inode_.Observe(AttrOf(3, 50)), Verdict::kForeign);
}

TEST_F(OpenInodeTest, PagesThatComeWhileOthersAreDroppedMayStay) {
  const OpenInode::PageDrop drop = inode_.BeginPageDrop();
  inode_.NotePages();
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kForeign);
  inode_.EndPageDrop(drop);
  EXPECT_TRUE(inode_.kernel_has_pages);
  EXPECT_EQ(inode_.Observe(AttrOf(2, 50)), Verdict::kForeign) << "they are of the version before";
}

TEST_F(OpenInodeTest, OwnChangeKeepsPagesCurrent) {
  std::uint64_t base = inode_.BeginOwnChange();
  EXPECT_EQ(inode_.Observe(AttrOf(2, 120)), Verdict::kUndecided) << "ours or not: the reply will tell";
  proto::Attr reply = AttrOf(2, 120);
  EXPECT_TRUE(inode_.EndOwnChange(base, &reply));
  EXPECT_EQ(inode_.Observe(AttrOf(2, 120)), Verdict::kCurrent);
  EXPECT_EQ(inode_.Size(), 120u);
  EXPECT_TRUE(inode_.chunks.Find(3).has_value());
}

TEST_F(OpenInodeTest, SomebodyElsesChangeInBetweenIsNoticed) {
  std::uint64_t base = inode_.BeginOwnChange();
  proto::Attr reply = AttrOf(3, 120);
  EXPECT_FALSE(inode_.EndOwnChange(base, &reply));
  EXPECT_FALSE(inode_.KernelIsCurrent());
  EXPECT_FALSE(inode_.chunks.Find(3).has_value());
}

TEST_F(OpenInodeTest, LateAnswersTakeNothingBack) {
  std::uint64_t base = inode_.BeginOwnChange();
  proto::Attr reply = AttrOf(2, 120);
  ASSERT_TRUE(inode_.EndOwnChange(base, &reply));
  EXPECT_EQ(inode_.Observe(AttrOf(1, 100)), Verdict::kCurrent);
  EXPECT_EQ(inode_.known.data_version, 2u);
  EXPECT_EQ(inode_.Size(), 120u);
}

TEST_F(OpenInodeTest, FailedChangeChangesNothing) {
  std::uint64_t base = inode_.BeginOwnChange();
  EXPECT_TRUE(inode_.EndOwnChange(base, nullptr));
  EXPECT_EQ(inode_.Observe(AttrOf(1, 100)), Verdict::kCurrent);
}

TEST_F(OpenInodeTest, CutForgetsWhatLiesBehind) {
  inode_.NoteUnsynced(0, {ChunkId(9), PgId(1)}, Epoch(1));
  inode_.NoteUnsynced(3, {ChunkId(33), PgId(1)}, Epoch(1));
  inode_.meta_unsynced = false;
  inode_.CutTo(2 * kChunkBytes + 1);
  EXPECT_TRUE(inode_.chunks.Find(3) == std::nullopt);
  EXPECT_EQ(inode_.unsynced.size(), 1u);
  EXPECT_TRUE(inode_.meta_unsynced);
}

}  // namespace
}  // namespace gabion
