#include "common/rpc/frame_codec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

Frame SampleFrame() {
  Frame frame;
  frame.kind = FrameKind::kResponse;
  frame.method = 0x1234;
  frame.status = ErrorCode::kNoSpace;
  frame.request_id = 0x0123456789abcdef;
  frame.deadline_ms = 0xdeadbeef;
  frame.header = "a header";
  frame.payload = Payload(Slice::CopyOf("some payload"));
  return frame;
}

TEST(FrameCodecTest, DecodesWhatItEncoded) {
  Frame frame = SampleFrame();
  Result<FrameHead> head = DecodeFrameHead(EncodeFrameHead(frame));
  ASSERT_TRUE(head) << head.error().ToString();
  EXPECT_EQ(head->kind, frame.kind);
  EXPECT_EQ(head->method, frame.method);
  EXPECT_EQ(head->status, frame.status);
  EXPECT_EQ(head->request_id, frame.request_id);
  EXPECT_EQ(head->deadline_ms, frame.deadline_ms);
  EXPECT_EQ(head->header_bytes, frame.header.size());
  EXPECT_EQ(head->payload_bytes, frame.payload.size());
  EXPECT_TRUE(CheckFrameHeader(*head, frame.header));

  Frame decoded = FrameOf(*head);
  EXPECT_EQ(decoded.kind, frame.kind);
  EXPECT_EQ(decoded.method, frame.method);
  EXPECT_EQ(decoded.status, frame.status);
  EXPECT_EQ(decoded.request_id, frame.request_id);
  EXPECT_EQ(decoded.deadline_ms, frame.deadline_ms);
}

// The bytes of docs/formats/rpc_frame.md: other releases read them, so they never change.
TEST(FrameCodecTest, LayoutIsTheDocumentedOne) {
  FrameHeadBytes bytes = EncodeFrameHead(SampleFrame());
  std::vector<int> numbers;
  for (std::size_t i = 0; i < 36; ++i) numbers.push_back(std::to_integer<int>(bytes[i]));
  const std::vector<int> expected = {'G',  'A',  'B',  'N',  1,    0,    4,    0,    0x34, 0x12, 10,
                                     0,    0xef, 0xbe, 0xad, 0xde, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45,
                                     0x23, 0x01, 8,    0,    0,    0,    12,   0,    0,    0};
  EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.begin() + 32), expected);
}

TEST(FrameCodecTest, ExampleOfTheDocumentation) {
  Frame frame;
  frame.method = 10;
  frame.request_id = 4097;
  frame.deadline_ms = 250;
  frame.header = "\x0a\x01\x78";
  const FrameHeadBytes bytes = EncodeFrameHead(frame);
  std::vector<int> numbers;
  for (const std::byte byte : bytes) numbers.push_back(std::to_integer<int>(byte));
  const std::vector<int> expected = {0x47, 0x41, 0x42, 0x4e, 0x01, 0x00, 0x03, 0x00, 0x0a, 0x00, 0x00, 0x00, 0xfa, 0x00,
                                     0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
                                     0x00, 0x00, 0x00, 0x00, 0xe4, 0xd4, 0xf1, 0x46, 0xf0, 0xd0, 0xa8, 0xbd};
  EXPECT_EQ(numbers, expected);
}

TEST(FrameCodecTest, AcceptsTheLargestFrame) {
  Frame frame;
  frame.header.assign(kMaxHeaderBytes, 'x');
  MutableBuffer payload(kMaxPayloadBytes);
  frame.payload = Payload(std::move(payload).Share());
  ASSERT_TRUE(CheckFrameLimits(frame));
  EXPECT_TRUE(DecodeFrameHead(EncodeFrameHead(frame)));
}

TEST(FrameCodecTest, LimitsAreChecked) {
  Frame header;
  header.header.assign(kMaxHeaderBytes + 1, 'x');
  EXPECT_FALSE(CheckFrameLimits(header));

  Frame payload;
  MutableBuffer bytes(kMaxPayloadBytes + 1);
  payload.payload = Payload(std::move(bytes).Share());
  EXPECT_FALSE(CheckFrameLimits(payload));

  Frame hello;
  hello.kind = FrameKind::kHello;
  hello.header.assign(kMaxHelloHeaderBytes + 1, 'x');
  EXPECT_FALSE(CheckFrameLimits(hello));
  hello.header.clear();
  hello.payload = Payload(Slice::CopyOf("x"));
  EXPECT_FALSE(CheckFrameLimits(hello));
}

TEST(FrameCodecTest, RefusesEveryFlippedBit) {
  const FrameHeadBytes good = EncodeFrameHead(SampleFrame());
  for (std::size_t bit = 0; bit < kFrameHeadBytes * 8; ++bit) {
    FrameHeadBytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    Result<FrameHead> head = DecodeFrameHead(bad);
    ASSERT_FALSE(head) << "bit " << bit;
    EXPECT_EQ(head.error().code(), ErrorCode::kProtocol);
  }
}

TEST(FrameCodecTest, RefusesRandomBytes) {
  std::mt19937_64 random(20240607);
  for (int round = 0; round < 20000; ++round) {
    FrameHeadBytes bytes;
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    EXPECT_FALSE(DecodeFrameHead(bytes));
  }
}

TEST(FrameCodecTest, RefusesAnotherProtocolByName) {
  FrameHeadBytes bytes{};
  const char* text = "GET / HTTP/1.1\r\nHost: gabion.example\r\n\r\n";
  std::memcpy(bytes.data(), text, kFrameHeadBytes);
  Result<FrameHead> head = DecodeFrameHead(bytes);
  ASSERT_FALSE(head);
  EXPECT_NE(head.error().message().find("does not speak"), std::string::npos);
}

TEST(FrameCodecTest, RefusesAnotherHeader) {
  Frame frame = SampleFrame();
  Result<FrameHead> head = DecodeFrameHead(EncodeFrameHead(frame));
  ASSERT_TRUE(head);
  EXPECT_FALSE(CheckFrameHeader(*head, "A header"));
  EXPECT_FALSE(CheckFrameHeader(*head, "a heade"));
  EXPECT_FALSE(CheckFrameHeader(*head, "a header "));
  EXPECT_FALSE(CheckFrameHeader(*head, ""));
}

}  // namespace
}  // namespace gabion
