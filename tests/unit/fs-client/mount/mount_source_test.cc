#include "fs-client/mount/mount_source.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

MountSource Parsed(std::string_view text) {
  Result<MountSource> source = MountSource::Parse(text);
  EXPECT_TRUE(source) << (source ? "" : source.error().message());
  return source ? *source : MountSource{};
}

TEST(MountSourceTest, ReadsHostPortAndVolume) {
  MountSource source = Parsed("meta1:7000:/docs");
  EXPECT_EQ(source.metaservers, (std::vector<Endpoint>{{"meta1", 7000}}));
  EXPECT_EQ(source.volume, "docs");
  EXPECT_EQ(source.subdir, "");
}

TEST(MountSourceTest, TakesTheDefaultPort) {
  EXPECT_EQ(Parsed("meta1:/docs").metaservers, (std::vector<Endpoint>{{"meta1", kDefaultMetaserverPort}}));
}

TEST(MountSourceTest, ReadsSeveralMetaservers) {
  MountSource source = Parsed("a:1,b,c:3:/v");
  EXPECT_EQ(source.metaservers, (std::vector<Endpoint>{{"a", 1}, {"b", kDefaultMetaserverPort}, {"c", 3}}));
}

TEST(MountSourceTest, ReadsAddressesOfBothKinds) {
  EXPECT_EQ(Parsed("10.0.0.1:/v").metaservers[0].host, "10.0.0.1");
  MountSource source = Parsed("[fe80::1]:7000,[::1]:/v");
  ASSERT_EQ(source.metaservers.size(), 2u);
  EXPECT_EQ(source.metaservers[0].port, 7000);
  EXPECT_EQ(source.metaservers[1].port, kDefaultMetaserverPort);
  EXPECT_EQ(Parsed(source.ToString()).metaservers, source.metaservers);
}

TEST(MountSourceTest, ReadsASubdirectory) {
  EXPECT_EQ(Parsed("h:/v/a/b").subdir, "a/b");
  MountSource sloppy = Parsed("h://v//a/b/");
  EXPECT_EQ(sloppy.volume, "v");
  EXPECT_EQ(sloppy.subdir, "a/b");
}

TEST(MountSourceTest, WritesWhatMountsTheSameAgain) {
  for (const char* text : {"h:1:/v", "a:1,b:2:/v/x/y", "h:/v"}) {
    MountSource source = Parsed(text);
    EXPECT_EQ(Parsed(source.ToString()).ToString(), source.ToString());
  }
  EXPECT_EQ(Parsed("h:/v/s").ToString(), "h:" + std::to_string(kDefaultMetaserverPort) + ":/v/s");
}

TEST(MountSourceTest, RefusesWhatIsNoSource) {
  for (const char* text : {"", "v", "/v", ":/v", "h:/", "h:", "h/v", "h:1/v", ",:/v", "h,:/v", "h,,i:/v", "h:x:/v",
                           "h:70000:/v", "h:1:/../v", "h:1:/v/..", "h:1:/v/./a"}) {
    Result<MountSource> source = MountSource::Parse(text);
    ASSERT_FALSE(source) << text;
    EXPECT_EQ(source.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(source.error().message().find("HOST:PORT:/VOLUME"), std::string::npos);
  }
}

}  // namespace
}  // namespace gabion
