#include "common/rpc/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/error_frame.h"
#include "common/rpc/frame_codec.h"
#include "proto/common.pb.h"

namespace gabion {
namespace {

using testing::HasSubstr;

Frame HelloOfVersions(std::uint32_t min, std::uint32_t max) {
  proto::Hello hello;
  hello.set_min_version(min);
  hello.set_max_version(max);
  hello.set_software("gabion 9.9.9");
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.header = hello.SerializeAsString();
  return frame;
}

TEST(HandshakeTest, ServerLearnsWhoCalls) {
  const Identity identity{proto::ROLE_CHUNKSERVER, "boot id", 42};
  const Frame hello = MakeHello(identity, 3);
  ASSERT_TRUE(CheckFrameLimits(hello));
  const Result<Greeting> greeting = ReadHello(hello);
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->caller.role, proto::ROLE_CHUNKSERVER);
  EXPECT_EQ(greeting->caller.host_id, "boot id");
  EXPECT_EQ(greeting->caller.number, 42u);
  EXPECT_EQ(greeting->cpu, 3u);
  EXPECT_EQ(greeting->version, kProtocolVersionMax);
}

TEST(HandshakeTest, CallerLearnsWhoAnswers) {
  const Result<Identity> server =
      ReadHelloReply(MakeHelloReply({proto::ROLE_METASERVER, "boot id", 0}, kProtocolVersionMax));
  ASSERT_TRUE(server);
  EXPECT_EQ(server->role, proto::ROLE_METASERVER);
  EXPECT_EQ(server->host_id, "boot id");
}

TEST(HandshakeTest, HighestCommonVersionIsChosen) {
  EXPECT_EQ(ReadHello(HelloOfVersions(0, kProtocolVersionMax + 5))->version, kProtocolVersionMax);
  EXPECT_EQ(ReadHello(HelloOfVersions(kProtocolVersionMin, kProtocolVersionMin))->version, kProtocolVersionMin);
}

TEST(HandshakeTest, NoCommonVersionNamesBothRanges) {
  for (const Frame& hello : {HelloOfVersions(kProtocolVersionMax + 1, kProtocolVersionMax + 2), HelloOfVersions(0, 0),
                             HelloOfVersions(5, 4)}) {
    const Result<Greeting> greeting = ReadHello(hello);
    ASSERT_FALSE(greeting);
    EXPECT_EQ(greeting.error().code(), ErrorCode::kVersionMismatch);
    EXPECT_THAT(greeting.error().message(), testing::AllOf(HasSubstr("gabion 9.9.9"), HasSubstr("upgrade")));
  }
}

TEST(HandshakeTest, RefusalReachesTheCaller) {
  const Result<Identity> server = ReadHelloReply(MakeHelloRefusal({ErrorCode::kVersionMismatch, "too old"}));
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), ErrorCode::kVersionMismatch);
  EXPECT_EQ(server.error().message(), "too old");
}

TEST(HandshakeTest, AnythingElseIsAProtocolError) {
  Frame request;
  EXPECT_EQ(ReadHello(request).error().code(), ErrorCode::kProtocol);
  EXPECT_EQ(ReadHelloReply(request).error().code(), ErrorCode::kProtocol);
  Frame broken = HelloOfVersions(1, 1);
  broken.header = "\xff\xff\xff";
  EXPECT_EQ(ReadHello(broken).error().code(), ErrorCode::kProtocol);
  broken.kind = FrameKind::kHelloReply;
  EXPECT_EQ(ReadHelloReply(broken).error().code(), ErrorCode::kProtocol);
}

TEST(HandshakeTest, VersionTheCallerDoesNotSpeakIsRefused) {
  const Result<Identity> server = ReadHelloReply(MakeHelloReply({}, kProtocolVersionMax + 1));
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), ErrorCode::kVersionMismatch);
}

TEST(ErrorFrameTest, CarriesCodeAndMessage) {
  Frame frame;
  WriteError({ErrorCode::kNoSpace, "disk 7 is full"}, frame);
  const Error error = ReadError(frame);
  EXPECT_EQ(error.code(), ErrorCode::kNoSpace);
  EXPECT_EQ(error.message(), "disk 7 is full");
}

TEST(ErrorFrameTest, LongMessagesAreCutAndStrangeBytesReplaced) {
  Frame frame;
  WriteError({ErrorCode::kIo, "\xc3\xb6" + std::string(100'000, 'x')}, frame);
  const Error error = ReadError(frame);
  EXPECT_EQ(error.message().size(), kMaxErrorMessageBytes);
  EXPECT_TRUE(error.message().starts_with("??x"));
}

TEST(ErrorFrameTest, MessageThatCannotBeReadIsStillAnError) {
  Frame frame;
  frame.status = ErrorCode::kBusy;
  frame.header = "\xff\xff";
  EXPECT_EQ(ReadError(frame).code(), ErrorCode::kBusy);
  EXPECT_FALSE(ReadError(frame).message().empty());
}

}  // namespace
}  // namespace gabion
