#include "fs-client/fuse/encode.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>
#include <vector>

namespace gabion::fuse {
namespace {

FileAttr SomeAttr() {
  FileAttr attr;
  attr.ino = Ino(9);
  attr.mode = S_IFREG | 0640;
  attr.nlink = 2;
  attr.uid = 3;
  attr.gid = 4;
  attr.rdev = makedev(8, 17);
  attr.size = 1000;
  attr.used_bytes = 513;
  attr.atime_ns = -1;
  attr.mtime_ns = 1'700'000'000'123'456'789;
  attr.ctime_ns = 2'000'000'000;
  attr.btime_ns = 1;
  return attr;
}

DirEntryPlus NamedEntry(std::string name, std::uint64_t next_offset) {
  DirEntryPlus entry;
  entry.name = std::move(name);
  entry.ino = Ino(5);
  entry.type_mode = S_IFDIR | 0755;
  entry.next_offset = next_offset;
  return entry;
}

TEST(EncodeTest, FillsAttributes) {
  fuse_attr attr = ToFuseAttr(SomeAttr());
  EXPECT_EQ(attr.ino, 9u);
  EXPECT_EQ(attr.size, 1000u);
  EXPECT_EQ(attr.blocks, 2u);
  EXPECT_EQ(attr.mode, unsigned{S_IFREG | 0640});
  EXPECT_EQ(attr.rdev, makedev(8, 17));
  EXPECT_EQ(static_cast<std::int64_t>(attr.atime), -1);
  EXPECT_EQ(attr.atimensec, 999'999'999u);
  EXPECT_EQ(attr.mtime, 1'700'000'000u);
  EXPECT_EQ(attr.mtimensec, 123'456'789u);
  EXPECT_EQ(attr.blksize, kPreferredIoBytes);
}

TEST(EncodeTest, FillsExtendedAttributesOfAnInode) {
  StatxOut out = ToStatxOut({SomeAttr(), 1'500'000'000});
  EXPECT_EQ(out.attr_valid, 1u);
  EXPECT_EQ(out.attr_valid_nsec, 500'000'000u);
  EXPECT_EQ(out.stat.mask, STATX_BASIC_STATS | STATX_BTIME);
  EXPECT_EQ(out.stat.btime.tv_nsec, 1u);
  EXPECT_EQ(out.stat.atime.tv_sec, -1);
  EXPECT_EQ(out.stat.rdev_major, 8u);
  EXPECT_EQ(out.stat.rdev_minor, 17u);
}

TEST(EncodeTest, SplitsValidities) {
  fuse_entry_out out = ToEntryOut({SomeAttr(), {2'000'000'001, 3}});
  EXPECT_EQ(out.nodeid, 9u);
  EXPECT_EQ(out.generation, 0u);
  EXPECT_EQ(out.entry_valid, 2u);
  EXPECT_EQ(out.entry_valid_nsec, 1u);
  EXPECT_EQ(out.attr_valid, 0u);
  EXPECT_EQ(out.attr_valid_nsec, 3u);
}

TEST(EncodeTest, TellsHowAFileIsCached) {
  EXPECT_EQ(ToOpenOut({HandleId(3), false, false}).open_flags, 0u);
  EXPECT_EQ(ToOpenOut({HandleId(3), true, false}).open_flags, unsigned{FOPEN_KEEP_CACHE});
  EXPECT_EQ(ToOpenOut({HandleId(3), false, true}).open_flags, unsigned{FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES});
  EXPECT_EQ(ToCreateOut({{SomeAttr(), {}}, {HandleId(8), false, false}}).open.fh, 8u);
}

TEST(EncodeTest, FillsStatfsInBlocks) {
  fuse_statfs_out out = ToStatfsOut({1 << 20, 4096, 7, 6});
  EXPECT_EQ(out.st.blocks, 256u);
  EXPECT_EQ(out.st.bfree, 1u);
  EXPECT_EQ(out.st.bavail, 1u);
  EXPECT_EQ(out.st.files, 7u);
  EXPECT_EQ(out.st.ffree, 6u);
  EXPECT_EQ(out.st.namelen, 255u);
}

TEST(EncodeTest, PacksAsManyNamesAsFit) {
  std::vector<DirEntryPlus> entries = {NamedEntry("a", 1), NamedEntry("eight888", 2), NamedEntry("ninechars", 3)};
  std::vector<std::byte> room(1000);
  EXPECT_EQ(PackDirectory(entries, false, room), 32u + 32u + 40u);
  fuse_dirent second{};
  std::memcpy(&second, room.data() + 32, FUSE_NAME_OFFSET);
  EXPECT_EQ(second.ino, 5u);
  EXPECT_EQ(second.off, 2u);
  EXPECT_EQ(second.namelen, 8u);
  EXPECT_EQ(second.type, unsigned{DT_DIR});
  EXPECT_EQ(std::memcmp(room.data() + 32 + FUSE_NAME_OFFSET, "eight888", 8), 0);

  EXPECT_EQ(PackDirectory(entries, false, std::span(room).first(103)), 64u);
  EXPECT_EQ(PackDirectory(entries, false, std::span(room).first(31)), 0u);
  EXPECT_EQ(PackDirectory({}, false, room), 0u);
}

TEST(EncodeTest, PacksAttributesBesideNames) {
  std::vector<DirEntryPlus> entries = {NamedEntry(".", 1), NamedEntry("file", 2)};
  entries[1].entry = Entry{SomeAttr(), {1'000'000'000, 0}};
  std::vector<std::byte> room(1000, std::byte{0xee});
  std::size_t each = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 4);
  ASSERT_EQ(PackDirectory(entries, true, room), 2 * each);
  fuse_direntplus first{};
  std::memcpy(&first, room.data(), sizeof first);
  EXPECT_EQ(first.entry_out.nodeid, 0u);  // no lookup is counted
  fuse_direntplus second{};
  std::memcpy(&second, room.data() + each, sizeof second);
  EXPECT_EQ(second.entry_out.nodeid, 9u);
  EXPECT_EQ(second.entry_out.entry_valid, 1u);
  EXPECT_EQ(second.dirent.namelen, 4u);
}

TEST(EncodeTest, PacksAttributeNames) {
  EXPECT_EQ(PackNames({}), "");
  EXPECT_EQ(PackNames({"user.a", "user.b"}), std::string("user.a\0user.b\0", 14));
}

TEST(EncodeTest, WritesNotificationsTheKernelCanRead) {
  std::string message = EncodeInvalidateInode(Ino(7));
  fuse_out_header header{};
  std::memcpy(&header, message.data(), sizeof header);
  EXPECT_EQ(header.len, message.size());
  EXPECT_EQ(header.error, int{FUSE_NOTIFY_INVAL_INODE});
  EXPECT_EQ(header.unique, 0u);
  fuse_notify_inval_inode_out body{};
  ASSERT_EQ(message.size(), sizeof header + sizeof body);
  std::memcpy(&body, message.data() + sizeof header, sizeof body);
  EXPECT_EQ(body.ino, 7u);
  EXPECT_EQ(body.off, 0);

  message = EncodeInvalidateAttributes(Ino(7));
  ASSERT_EQ(message.size(), sizeof header + sizeof body);
  std::memcpy(&body, message.data() + sizeof header, sizeof body);
  EXPECT_LT(body.off, 0);
}

}  // namespace
}  // namespace gabion::fuse
