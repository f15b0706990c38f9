#include "fs-client/vfs/open_directory.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gabion {
namespace {

/// A directory of names 000000, 000001, ... as the metaserver pages it.
proto::ReadDirReply PageAfter(const std::string& after, std::uint64_t total, std::uint64_t max_entries) {
  proto::ReadDirReply reply;
  std::uint64_t next = after.empty() ? 0 : std::stoull(after) + 1;
  for (; next < total && static_cast<std::uint64_t>(reply.entries_size()) < max_entries; ++next) {
    std::string name = std::to_string(next);
    reply.add_entries()->set_name(std::string(6 - name.size(), '0') + name);
  }
  reply.set_end(next == total);
  return reply;
}

TEST(OpenDirectoryTest, ListsPageAfterPage) {
  OpenDirectory directory{proto::Attr()};
  std::uint64_t entry = 0;
  while (!directory.AtEnd(entry)) {
    if (const proto::DirEntry* found = directory.Find(entry)) {
      ASSERT_EQ(std::stoull(found->name()), entry);
      ++entry;
      continue;
    }
    OpenDirectory::Cursor cursor = directory.NearestBefore(entry);
    ASSERT_EQ(cursor.entry, entry);
    directory.Adopt(cursor, PageAfter(cursor.after_name, 5000, 300));
  }
  EXPECT_EQ(entry, 5000u);
}

TEST(OpenDirectoryTest, SeeksBackToAMark) {
  OpenDirectory directory{proto::Attr()};
  for (std::uint64_t entry = 0; entry < 5000; entry += 500) {
    OpenDirectory::Cursor cursor = directory.NearestBefore(entry);
    directory.Adopt(cursor, PageAfter(cursor.after_name, 5000, 500));
  }
  OpenDirectory::Cursor cursor = directory.NearestBefore(2500);
  EXPECT_LE(cursor.entry, 2500u);
  EXPECT_GE(cursor.entry + OpenDirectory::kMarkEvery, 2500u);
  directory.Adopt(cursor, PageAfter(cursor.after_name, 5000, 500));
  ASSERT_NE(directory.Find(2500), nullptr);
  EXPECT_EQ(directory.Find(2500)->name(), "002500");
}

TEST(OpenDirectoryTest, RestartForgetsAll) {
  OpenDirectory directory{proto::Attr()};
  directory.Adopt({}, PageAfter("", 3, 10));
  EXPECT_TRUE(directory.AtEnd(3));
  directory.Restart();
  EXPECT_FALSE(directory.AtEnd(3));
  EXPECT_EQ(directory.Find(0), nullptr);
  EXPECT_EQ(directory.NearestBefore(3).entry, 0u);
}

TEST(OpenDirectoryTest, EmptyPageIsTheEnd) {
  OpenDirectory directory{proto::Attr()};
  directory.Adopt({}, proto::ReadDirReply());
  EXPECT_TRUE(directory.AtEnd(0));
}

}  // namespace
}  // namespace gabion
