#include "fs-client/mount/mount_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using testing::HasSubstr;

MountCommand Parsed(std::string_view program, const std::vector<std::string>& arguments) {
  Result<MountCommand> command = MountCommand::Parse(program, arguments);
  EXPECT_TRUE(command) << (command ? "" : command.error().message());
  return command ? *command : MountCommand{};
}

std::string Refusal(std::string_view program, const std::vector<std::string>& arguments) {
  Result<MountCommand> command = MountCommand::Parse(program, arguments);
  EXPECT_FALSE(command);
  return command ? "" : command.error().message();
}

TEST(MountCommandTest, ReadsSourceMountpointAndOptions) {
  MountCommand command = Parsed("gabion-mount", {"h:1:/v", "/mnt", "-o", "ro,loops=2", "-f", "-o", "noatime"});
  EXPECT_EQ(command.action, MountCommand::Action::kMount);
  EXPECT_EQ(command.source.volume, "v");
  EXPECT_EQ(command.mountpoint, "/mnt");
  EXPECT_TRUE(command.options.read_only);
  EXPECT_EQ(command.options.loops, 2u);
  EXPECT_EQ(command.options.kernel.size(), 2u);
  EXPECT_TRUE(command.foreground);
  EXPECT_FALSE(command.fake);
}

TEST(MountCommandTest, TakesFlagsInAnyOrderAndGlued) {
  MountCommand command = Parsed("./gabion-mount", {"-forw", "h:1:/v", "-oloops=4", "/mnt"});
  EXPECT_TRUE(command.foreground);
  EXPECT_EQ(command.options.loops, 4u);
  EXPECT_TRUE(Parsed("gabion-mount", {"--foreground", "h:/v", "/m"}).foreground);
}

TEST(MountCommandTest, TakesWhatMountGivesItsHelpers) {
  MountCommand command =
      Parsed("/sbin/mount.gabion", {"h:1:/v", "/mnt", "-sfnv", "-o", "rw,_netdev,nosuid", "-t", "gabion", "-N", "/ns"});
  EXPECT_TRUE(command.fake);
  EXPECT_FALSE(command.foreground);
  EXPECT_TRUE(command.verbose);
  EXPECT_EQ(command.mountpoint, "/mnt");
  EXPECT_EQ(command.options.kernel, (std::vector<std::string>{"rw", "nosuid"}));
  EXPECT_TRUE(Parsed("mount.fuse.gabion", {"h:/v", "/m", "-r"}).options.read_only);
}

TEST(MountCommandTest, HelpsWithoutAVolume) {
  EXPECT_EQ(Parsed("gabion-mount", {"--help"}).action, MountCommand::Action::kHelp);
  EXPECT_EQ(Parsed("gabion-mount", {"-h"}).action, MountCommand::Action::kHelp);
  EXPECT_EQ(Parsed("gabion-mount", {"-V"}).action, MountCommand::Action::kVersion);
  EXPECT_THAT(MountUsage(), HasSubstr("transport="));
}

TEST(MountCommandTest, RefusesOtherCommandLines) {
  EXPECT_THAT(Refusal("gabion-mount", {}), HasSubstr("usage:"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v"}), HasSubstr("mount point"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "/n"}), HasSubstr("too many"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "-x"}), HasSubstr("-x"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "--bogus"}), HasSubstr("--bogus"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "-o"}), HasSubstr("-o needs a value"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "-s"}), HasSubstr("-s"));  // mount(8)'s, not ours
  EXPECT_THAT(Refusal("gabion-mount", {"nothing", "/m"}), HasSubstr("no volume"));
  EXPECT_THAT(Refusal("gabion-mount", {"h:/v", "/m", "-o", "bogus"}), HasSubstr("bogus"));
}

}  // namespace
}  // namespace gabion
