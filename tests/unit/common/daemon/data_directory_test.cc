#include "common/daemon/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/common/daemon/temp_dir.h"

namespace gabion {
namespace {

using testing::HasSubstr;

class DataDirectoryTest : public testing::Test {
 protected:
  DataDirectory MustOpen() {
    Result<DataDirectory> opened = DataDirectory::Open(path_);
    if (!opened) ADD_FAILURE() << opened.error().ToString();
    return std::move(*opened);
  }

  TempDir temp_;
  const std::string path_ = temp_.path() + "/new/data";
};

TEST_F(DataDirectoryTest, IsMadeForItsOwnerOnly) {
  const DataDirectory directory = MustOpen();
  EXPECT_EQ(directory.path(), path_);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms::owner_all);
  const Result<std::string> sub = directory.Subdirectory("meta");
  ASSERT_TRUE(sub);
  EXPECT_EQ(*sub, path_ + "/meta");
  EXPECT_TRUE(std::filesystem::is_directory(*sub));
  EXPECT_TRUE(directory.Subdirectory("meta")) << "again";
}

TEST_F(DataDirectoryTest, SecondOwnerIsRefusedByName) {
  {
    const DataDirectory first = MustOpen();
    const Result<DataDirectory> second = DataDirectory::Open(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::kBusy);
    EXPECT_THAT(second.error().message(),
                testing::AllOf(HasSubstr(path_), HasSubstr("process " + std::to_string(getpid()))));
  }
  MustOpen();
}

TEST_F(DataDirectoryTest, WhatIsNoDirectoryIsRefused) {
  const std::string file = temp_.Write("file", "");
  for (const std::string& path : {file, file + "/below"}) {
    const Result<DataDirectory> opened = DataDirectory::Open(path);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message(), HasSubstr(file));
  }
}

TEST_F(DataDirectoryTest, RemovesFilesAndWholeDirectories) {
  const DataDirectory directory = MustOpen();
  ASSERT_TRUE(directory.WriteLine("line", "text"));
  const Result<std::string> sub = directory.Subdirectory("sub");
  ASSERT_TRUE(sub);
  std::filesystem::create_directories(*sub + "/deeper");
  EXPECT_TRUE(directory.Remove("line"));
  EXPECT_TRUE(directory.Remove("sub"));
  EXPECT_TRUE(directory.Remove("sub")) << "again";
  EXPECT_FALSE(std::filesystem::exists(path_ + "/line"));
  EXPECT_FALSE(std::filesystem::exists(*sub));
}

TEST_F(DataDirectoryTest, KeepsLines) {
  {
    const DataDirectory directory = MustOpen();
    EXPECT_EQ(*directory.ReadLine("name"), std::nullopt);
    ASSERT_TRUE(directory.WriteLine("name", "first"));
    ASSERT_TRUE(directory.WriteLine("name", "second"));
    ASSERT_TRUE(directory.WriteLine("empty", ""));
  }
  const DataDirectory directory = MustOpen();
  EXPECT_EQ(*directory.ReadLine("name"), "second");
  EXPECT_EQ(*directory.ReadLine("empty"), "");
}

TEST_F(DataDirectoryTest, LinesThatAreNotOursAreRefused) {
  const DataDirectory directory = MustOpen();
  for (const std::string& text : {std::string(), std::string("cut off"), std::string(10'000, 'x') + "\n"}) {
    temp_.Write("new/data/name", text);
    EXPECT_FALSE(directory.ReadLine("name")) << text.size();
  }
}

}  // namespace
}  // namespace gabion
