#include "fs-client/mount/mount_table.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

constexpr std::string_view kTable =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 22 0:45 / /mnt/a\\040b rw shared:2 master:3 - fuse.gabion h:1:/v\\0401 rw,user_id=0\n"
    "31 22 0:46 / /mnt/c rw - fuse.gabion h:1:/c rw\n"
    "32 31 0:47 / /mnt/c rw - tmpfs tmpfs rw\n"
    "33 22 0:48 / /mnt/back\\134slash rw - tmpfs x\\011y rw";

TEST(MountTableTest, FindsAMountAndUnescapesIt) {
  std::optional<MountEntry> entry = FindMount(kTable, "/mnt/a b");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->device, "0:45");
  EXPECT_EQ(entry->type, "fuse.gabion");
  EXPECT_EQ(entry->source, "h:1:/v 1");
  entry = FindMount(kTable, "/mnt/back\\slash");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->source, "x\ty");
}

TEST(MountTableTest, FindsTheTopmostOfSeveral) {
  std::optional<MountEntry> entry = FindMount(kTable, "/mnt/c");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->device, "0:47");
}

TEST(MountTableTest, FindsOnlyWholePaths) {
  EXPECT_FALSE(FindMount(kTable, "/mnt"));
  EXPECT_FALSE(FindMount(kTable, "/mnt/a\\040b"));
  EXPECT_FALSE(FindMount("", "/"));
}

TEST(MountTableTest, SurvivesLinesThatAreCutOff) {
  std::string table(kTable);
  for (std::size_t size = 0; size <= table.size(); ++size) {
    FindMount(std::string_view(table).substr(0, size), "/mnt/a b");
  }
  EXPECT_FALSE(FindMount("garbage\n\n-\n", "/"));
}

TEST(MountTableTest, SeesTheRootNow) {
  EXPECT_TRUE(FindMountNow("/"));
  EXPECT_FALSE(FindMountNow("/no/such/mount"));
}

}  // namespace
}  // namespace gabion
