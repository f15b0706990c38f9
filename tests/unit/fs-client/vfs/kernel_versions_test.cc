#include "fs-client/vfs/kernel_versions.h"

#include <gtest/gtest.h>

#include "fs-client/vfs/root_map.h"

namespace gabion {
namespace {

TEST(KernelVersionsTest, TakesOutWhatWasPut) {
  KernelVersions versions;
  versions.Put(Ino(5), 7);
  versions.Put(Ino(5), 8);
  EXPECT_EQ(versions.Take(Ino(5)), 8u);
  EXPECT_EQ(versions.Take(Ino(5)), std::nullopt);
}

TEST(KernelVersionsTest, ForgetsTheLeastRecent) {
  KernelVersions versions(2);
  versions.Put(Ino(1), 1);
  versions.Put(Ino(2), 2);
  versions.Put(Ino(1), 3);
  versions.Put(Ino(4), 4);
  EXPECT_EQ(versions.Take(Ino(2)), std::nullopt);
  EXPECT_EQ(versions.Take(Ino(1)), 3u);
  EXPECT_EQ(versions.Take(Ino(4)), 4u);
}

TEST(RootMapTest, DirectoryOfTheMountIsInodeOneForTheKernel) {
  RootMap map(Ino(77));
  EXPECT_EQ(map.ToServer(kRootIno), Ino(77));
  EXPECT_EQ(map.ToKernel(Ino(77)), kRootIno);
  EXPECT_EQ(map.ToServer(Ino(78)), Ino(78));
  EXPECT_TRUE(map.IsRoot(kRootIno));
  EXPECT_EQ(RootMap().ToServer(kRootIno), kRootIno);
}

}  // namespace
}  // namespace gabion
