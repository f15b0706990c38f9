#include "metaserver/check/name_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace gabion {
namespace {

constexpr VolumeId kVolume{1};

records::Inode InodeOf(std::uint32_t mode, std::uint32_t nlink, std::uint64_t parent = 0) {
  records::Inode inode;
  inode.set_mode(mode);
  inode.set_nlink(nlink);
  inode.set_parent(parent);
  return inode;
}

records::Dentry DentryTo(std::uint64_t ino, std::uint32_t type_mode) {
  records::Dentry dentry;
  dentry.set_ino(ino);
  dentry.set_type_mode(type_mode);
  return dentry;
}

std::vector<proto::CheckFault> FaultsOf(NameWindow& window) {
  std::vector<proto::CheckFault> faults;
  window.VisitFaults([&](proto::CheckFault fault) { faults.push_back(std::move(fault)); });
  return faults;
}

TEST(NameWindowTest, CountsNamesThatLeadIntoTheWindowOnly) {
  NameWindow window(kVolume, Ino(10));
  window.Add(Ino(10), InodeOf(S_IFREG | 0644, 2), false);
  window.CloseAt(Ino(20));
  EXPECT_FALSE(window.Count(kRootIno, "a", DentryTo(10, S_IFREG)).has_value());
  EXPECT_FALSE(window.Count(kRootIno, "b", DentryTo(10, S_IFREG)).has_value());
  EXPECT_FALSE(window.Count(kRootIno, "before", DentryTo(9, S_IFREG)).has_value());
  EXPECT_FALSE(window.Count(kRootIno, "behind", DentryTo(21, S_IFREG)).has_value());
  EXPECT_TRUE(FaultsOf(window).empty());
  ASSERT_TRUE(window.Count(kRootIno, "dangling", DentryTo(20, S_IFREG)).has_value());
}

TEST(NameWindowTest, OpenEndCoversEverythingBehind) {
  NameWindow window(kVolume, Ino(10));
  const std::optional<proto::CheckFault> fault = window.Count(Ino(3), "dangling", DentryTo(UINT64_MAX, S_IFREG));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind(), proto::CHECK_FAULT_DANGLING_NAME);
  EXPECT_EQ(fault->parent(), 3u);
  EXPECT_EQ(fault->name(), "dangling");
}

TEST(NameWindowTest, OrphansNeedNoName) {
  NameWindow window(kVolume, kRootIno);
  window.Add(kRootIno, InodeOf(S_IFDIR | 0755, 2, 1), false);
  window.Add(Ino(5), InodeOf(S_IFREG | 0644, 0), true);
  window.Add(Ino(6), InodeOf(S_IFDIR | 0755, 0, 1), true);
  EXPECT_TRUE(FaultsOf(window).empty());
}

TEST(NameWindowTest, WithoutANameAndNoOrphanIsLost) {
  NameWindow window(kVolume, kRootIno);
  window.Add(Ino(5), InodeOf(S_IFREG | 0644, 0), false);
  window.Add(Ino(6), InodeOf(S_IFREG | 0644, 1), true);
  window.Add(Ino(7), InodeOf(S_IFDIR | 0755, 2, 1), false);
  const std::vector<proto::CheckFault> faults = FaultsOf(window);
  ASSERT_EQ(faults.size(), 3u);
  for (const proto::CheckFault& fault : faults) EXPECT_EQ(fault.kind(), proto::CHECK_FAULT_LOST_INODE);
}

TEST(NameWindowTest, DirectoryIsWhereItsOneNameIs) {
  NameWindow window(kVolume, kRootIno);
  window.Add(Ino(5), InodeOf(S_IFDIR | 0755, 2, 1), false);
  window.Add(Ino(6), InodeOf(S_IFDIR | 0755, 2, 1), false);
  EXPECT_FALSE(window.Count(Ino(9), "moved", DentryTo(5, S_IFDIR)).has_value());
  EXPECT_FALSE(window.Count(Ino(9), "one", DentryTo(6, S_IFDIR)).has_value());
  EXPECT_FALSE(window.Count(kRootIno, "other", DentryTo(6, S_IFDIR)).has_value());
  const std::vector<proto::CheckFault> faults = FaultsOf(window);
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0].kind(), proto::CHECK_FAULT_DIRECTORY_NAMES) << "which of its names is right is not known";
  EXPECT_EQ(faults[0].ino(), 6u);
  EXPECT_EQ(faults[1].kind(), proto::CHECK_FAULT_PARENT);
  EXPECT_EQ(faults[1].found(), 9u);
}

}  // namespace
}  // namespace gabion
