#include "fs-client/mount/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MountOptions Parsed(std::string_view text) {
  Result<MountOptions> options = MountOptions::Parse(text);
  EXPECT_TRUE(options) << (options ? "" : options.error().message());
  return options ? *options : MountOptions{};
}

std::string Refusal(std::string_view text) {
  Result<MountOptions> options = MountOptions::Parse(text);
  EXPECT_FALSE(options) << text;
  if (options) return "";
  EXPECT_EQ(options.error().code(), ErrorCode::kInvalidArgument);
  return options.error().message();
}

TEST(MountOptionsTest, HasDefaults) {
  MountOptions options = Parsed("");
  EXPECT_EQ(options.transport, TransportChoice::kAuto);
  EXPECT_EQ(options.memory_bytes, 256u << 20);
  EXPECT_EQ(options.loops, 0u);
  EXPECT_FALSE(options.allow_other);
  EXPECT_FALSE(options.read_only);
  EXPECT_TRUE(options.kernel.empty());
}

TEST(MountOptionsTest, ReadsItsOwnOptions) {
  MountOptions options = Parsed(
      "transport=uring,mem=1G,loops=3,spin_us=50,log_file=/x/y,log_level=debug,readahead_kb=128,connect_timeout=2,"
      "allow_other");
  EXPECT_EQ(options.transport, TransportChoice::kUring);
  EXPECT_EQ(options.memory_bytes, 1ull << 30);
  EXPECT_EQ(options.loops, 3u);
  EXPECT_EQ(options.spin, std::chrono::microseconds(50));
  EXPECT_EQ(options.log_file, "/x/y");
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.readahead_kb, 128u);
  EXPECT_EQ(options.connect_timeout, std::chrono::seconds(2));
  EXPECT_EQ(options.soft, Duration(0)) << "hard, unless it says otherwise";
  EXPECT_EQ(options.allow_other, true);
  EXPECT_EQ(Parsed("soft=30").soft, std::chrono::seconds(30));
  EXPECT_EQ(Parsed("soft=30,hard").soft, Duration(0));
  EXPECT_EQ(Parsed("allow_other,noallow_other").allow_other, false);
}

TEST(MountOptionsTest, PassesTheKernelsOptionsOn) {
  MountOptions options = Parsed("ro,nosuid,noatime,context=system_u:object_r:x");
  EXPECT_TRUE(options.read_only);
  EXPECT_THAT(options.kernel, ElementsAre("ro", "nosuid", "noatime", "context=system_u:object_r:x"));
  EXPECT_FALSE(Parsed("ro,rw").read_only);
}

TEST(MountOptionsTest, IgnoresWhatFstabSaysToOthers) {
  MountOptions options =
      Parsed("defaults,_netdev,noauto,nofail,user,x-systemd.automount,X-mount.mkdir,comment=x,relatime,,");
  EXPECT_TRUE(options.kernel.empty());
}

TEST(MountOptionsTest, ListsTheOptionsThatExistForOneThatDoesNot) {
  EXPECT_THAT(Refusal("ro,bogus"), testing::AllOf(HasSubstr("'bogus'"), HasSubstr("transport="), HasSubstr("noatime")));
  EXPECT_THAT(Refusal("transport"), HasSubstr("unknown option 'transport'"));
  EXPECT_THAT(Refusal("allow_other=1"), HasSubstr("unknown option"));
  EXPECT_THAT(Refusal("remount"), HasSubstr("unmount"));
}

TEST(MountOptionsTest, RefusesValuesThatAreNone) {
  EXPECT_THAT(Refusal("transport=tcp"), HasSubstr("auto, uring, dev"));
  EXPECT_THAT(Refusal("mem=1M"), HasSubstr("16M"));
  EXPECT_THAT(Refusal("mem=lots"), HasSubstr("no size"));
  EXPECT_THAT(Refusal("loops=-1"), HasSubstr("no number"));
  EXPECT_THAT(Refusal("loops=1025"), HasSubstr("from 0 to 1024"));
  EXPECT_THAT(Refusal("spin_us=1s"), HasSubstr("no number"));
  EXPECT_THAT(Refusal("log_file=relative"), HasSubstr("absolute"));
  EXPECT_THAT(Refusal("log_level=loud"), HasSubstr("log_level=loud"));
  EXPECT_THAT(Refusal("connect_timeout=0"), HasSubstr("from 1"));
  EXPECT_THAT(Refusal("connect_timeout="), HasSubstr("no number"));
  EXPECT_THAT(Refusal("soft=0"), HasSubstr("from 1"));
}

TEST(MountOptionsTest, ReadsSizes) {
  EXPECT_EQ(*ParseSize("0"), 0u);
  EXPECT_EQ(*ParseSize("17"), 17u);
  EXPECT_EQ(*ParseSize("3K"), 3072u);
  EXPECT_EQ(*ParseSize("256M"), 256ull << 20);
  EXPECT_EQ(*ParseSize("2T"), 2ull << 40);
  for (const char* text : {"", "M", "1KB", "-1", "1.5G", "99999999999999999999", "18446744073709551615K", "1 M"}) {
    EXPECT_FALSE(ParseSize(text)) << text;
  }
}

TEST(MountOptionsTest, HelpsWithEveryOption) {
  std::string help = MountOptionsHelp();
  for (const char* option : {"transport=", "mem=", "connect_timeout=", "noallow_other", "nodiratime"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
}

}  // namespace
}  // namespace gabion
