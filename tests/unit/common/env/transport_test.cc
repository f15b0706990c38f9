#include "common/env/transport.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(EndpointTest, ReadsWhatItWrites) {
  for (const char* text : {"127.0.0.1:9470", "host.example.org:1", "[::1]:65535", "[fe80::1]:0"}) {
    const Result<Endpoint> endpoint = Endpoint::Parse(text, 0);
    ASSERT_TRUE(endpoint) << endpoint.error().ToString();
    EXPECT_EQ(endpoint->ToString(), text);
  }
}

TEST(EndpointTest, PortMayBeLeftOutWhereThereIsADefault) {
  EXPECT_EQ(*Endpoint::Parse("host", 9470), (Endpoint{"host", 9470}));
  EXPECT_EQ(*Endpoint::Parse("[::1]", 9470), (Endpoint{"::1", 9470}));
  EXPECT_FALSE(Endpoint::Parse("host", 0));
}

TEST(EndpointTest, SaysWhatIsWrong) {
  for (const char* text : {"", ":1", "host:", "host:x", "host:65536", "host:-1", "host:1x", "::1", "fe80::1:9470",
                           "[::1", "[::1]9470", "a b:1", "a,b:1", "a/b:1", "h\xc3\xb6st:1"}) {
    const Result<Endpoint> endpoint = Endpoint::Parse(text, 9470);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(endpoint.error().message().find("HOST:PORT"), std::string::npos) << endpoint.error().message();
  }
}

}  // namespace
}  // namespace gabion
