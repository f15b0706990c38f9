#include "fs-client/vfs/open_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace gabion {
namespace {

proto::Attr AttrOf(std::uint64_t version) {
  proto::Attr attr;
  attr.set_ino(5);
  attr.set_mode(S_IFREG);
  attr.set_data_version(version);
  return attr;
}

class OpenFilesTest : public testing::Test {
 protected:
  OpenFiles::Opened Open(std::uint64_t version, bool fresh = false) {
    HandleId handle = files_.NextHandle();
    files_.Announce(handle, Ino(5));
    return files_.Finish(handle, AttrOf(version), O_RDWR, fresh);
  }
  OpenFiles files_;
};

TEST_F(OpenFilesTest, HandlesOfOneFileShareIt) {
  OpenFiles::Opened one = Open(1);
  OpenFiles::Opened two = Open(1);
  EXPECT_EQ(one.handle->inode, two.handle->inode);
  EXPECT_NE(one.handle->id, two.handle->id);
  EXPECT_EQ(files_.Find(one.handle->id), one.handle);
  files_.Close(one.handle);
  EXPECT_EQ(files_.Find(one.handle->id), nullptr);
  EXPECT_NE(files_.FindInode(Ino(5)), nullptr);
  files_.Close(two.handle);
  EXPECT_EQ(files_.FindInode(Ino(5)), nullptr);
}

TEST_F(OpenFilesTest, KernelKeepsPagesOfTheSameVersionOnly) {
  OpenFiles::Opened first = Open(1);
  EXPECT_FALSE(first.keep_cache) << "nothing is known of what the kernel has";
  first.handle->inode->NotePages();
  files_.Close(first.handle);
  OpenFiles::Opened again = Open(1);
  EXPECT_TRUE(again.keep_cache);
  files_.Close(again.handle);
  EXPECT_FALSE(Open(2).keep_cache);
}

TEST_F(OpenFilesTest, NewFilesHaveNoStalePages) {
  EXPECT_TRUE(Open(1, true).keep_cache);
}

TEST_F(OpenFilesTest, WhatTheKernelDropsWithOneOpenItMayHaveInAnother) {
  OpenFiles::Opened first = Open(1);
  ASSERT_FALSE(first.keep_cache);
  EXPECT_FALSE(Open(1).keep_cache) << "who opened it first may not have dropped anything yet";
  OpenFiles::Opened third = Open(1);
  for (OpenHandle* handle : third.handle->inode->handles) handle->in_use = true;
  EXPECT_TRUE(Open(1).keep_cache);
}

TEST_F(OpenFilesTest, OpeningMayShowAForeignChange) {
  OpenFiles::Opened first = Open(1);
  first.handle->inode->NotePages();
  OpenFiles::Opened second = Open(2);
  EXPECT_TRUE(second.stale_pages);
  EXPECT_FALSE(second.keep_cache);
}

TEST_F(OpenFilesTest, NamesOpenHandlesAndThoseBeingOpened) {
  OpenFiles::Opened open = Open(1);
  HandleId opening = files_.NextHandle();
  files_.Announce(opening, Ino(6));
  std::vector<proto::OpenHandle> handles = files_.OpenHandles();
  ASSERT_EQ(handles.size(), 2u);
  EXPECT_EQ(handles[0].handle_id(), open.handle->id.value());
  EXPECT_EQ(handles[1].ino(), 6u);
  files_.Abandon(opening);
  EXPECT_EQ(files_.OpenHandles().size(), 1u);
}

TEST_F(OpenFilesTest, LostHandlesAreMarked) {
  OpenFiles::Opened one = Open(1);
  OpenFiles::Opened two = Open(1);
  (void)files_.OpenHandles();
  files_.MarkLost({one.handle->id, HandleId(999)});
  EXPECT_TRUE(one.handle->lost);
  EXPECT_FALSE(two.handle->lost);
}

TEST_F(OpenFilesTest, AHandleThatWasOpenedAfterItWasNamedIsNotLost) {
  const HandleId opening = files_.NextHandle();
  files_.Announce(opening, Ino(5));
  (void)files_.OpenHandles();  // the metaserver does not know it yet
  const OpenFiles::Opened open = files_.Finish(opening, AttrOf(1), O_RDWR, true);
  files_.MarkLost({opening});
  EXPECT_FALSE(open.handle->lost);
}

}  // namespace
}  // namespace gabion
