#include "common/base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace gabion {
namespace {

TEST(LogTest, LevelsByName) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(*ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  const Result<LogLevel> wrong = ParseLogLevel("INFO");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("debug, info, warning, error"), std::string::npos);
}

TEST(LogTest, WritesWhatIsImportantEnough) {
  const std::string path = testing::TempDir() + "/gabion-log-test-" + std::to_string(getpid());
  ASSERT_TRUE(OpenLog(path, LogLevel::kWarning));
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  LogInfo("not {}", "this");
  LogWarning("but {}", "this");
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str().find("not this"), std::string::npos);
  EXPECT_NE(text.str().find(" warning but this\n"), std::string::npos) << text.str();
  std::remove(path.c_str());
}

TEST(LogTest, FileThatCannotBeOpenedIsSaid) {
  const Result<void> opened = OpenLog("/dev/null/log", LogLevel::kInfo);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(opened.error().message().find("/dev/null/log"), std::string::npos);
}

}  // namespace
}  // namespace gabion
