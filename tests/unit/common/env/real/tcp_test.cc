#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <future>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/base/byte_units.h"
#include "common/env/real/tcp_connection.h"
#include "common/env/real/tcp_listener.h"
#include "common/rpc/frame_codec.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

using testing::HasSubstr;
using Tcp = asio::ip::tcp;
using ConnectionPtr = std::unique_ptr<Connection>;

/// The bytes of a frame on the wire.
std::string Encode(const Frame& frame) {
  const FrameHeadBytes head = EncodeFrameHead(frame);
  std::string bytes(reinterpret_cast<const char*>(head.data()), head.size());
  return bytes + frame.header + frame.payload.ToString();
}

Frame MakeFrame(std::uint64_t id, std::string header, const std::string& payload) {
  Frame frame;
  frame.request_id = id;
  frame.header = std::move(header);
  frame.payload = Payload(Slice::CopyOf(std::string_view(payload)));
  return frame;
}

/// A connection under test on a loop, and a plain blocking socket at its other end.
class TcpTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Listener>> listener = loops_.env().transport.Listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener);
    listener_ = std::move(*listener);
    const Endpoint at = listener_->endpoint();
    raw_.connect({asio::ip::make_address(at.host), at.port});
    Result<ConnectionPtr> accepted = loops_.Run(listener_->Accept());
    ASSERT_TRUE(accepted);
    connection_ = std::move(*accepted);
  }
  void TearDown() override {
    // On the loop, where all its calls belong.
    loops_.Run(Drop(std::move(connection_), std::move(listener_)));
  }
  static Task<void> Drop(ConnectionPtr, std::unique_ptr<Listener>) { co_return; }

  void Write(const std::string& bytes) { asio::write(raw_, asio::buffer(bytes)); }
  /// For more than the kernel's buffers take at once: on a thread of its own.
  void WriteAside(std::string bytes) {
    writer_ = std::async(std::launch::async, [this, bytes = std::move(bytes)] {
      asio::error_code ignored;  // the reader may give up first
      asio::write(raw_, asio::buffer(bytes), ignored);
    });
  }
  Result<Frame> Receive() { return loops_.Run(connection_->Receive()); }

  void ExpectFrame(const Frame& sent) {
    const Result<Frame> got = Receive();
    ASSERT_TRUE(got) << got.error().ToString();
    EXPECT_EQ(got->request_id, sent.request_id);
    EXPECT_EQ(got->header, sent.header);
    EXPECT_EQ(got->payload.ToString(), sent.payload.ToString());
  }
  void ExpectLost(ErrorCode code, const std::string& message) {
    const Result<Frame> got = Receive();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), code);
    EXPECT_THAT(got.error().message(), testing::AllOf(HasSubstr(message), HasSubstr("127.0.0.1:")));
  }

  Loops loops_{2};
  std::unique_ptr<Listener> listener_;
  asio::io_context io_;
  Tcp::socket raw_{io_};
  ConnectionPtr connection_;
  std::future<void> writer_;
};

TEST_F(TcpTest, FrameThatComesByteByByteIsPutTogether) {
  const Frame frame = MakeFrame(7, "a header", "a payload");
  std::future<Result<Frame>> receiving = std::async(std::launch::async, [this] { return Receive(); });
  for (const char byte : Encode(frame)) Write(std::string(1, byte));
  const Result<Frame> got = receiving.get();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->payload.ToString(), "a payload");
}

TEST_F(TcpTest, ManyFramesOfOneWriteAreCutApart) {
  std::string bytes;
  for (std::uint64_t i = 0; i < 500; ++i) bytes += Encode(MakeFrame(i, "header", std::string(i, 'p')));
  WriteAside(std::move(bytes));
  for (std::uint64_t i = 0; i < 500; ++i) ExpectFrame(MakeFrame(i, "header", std::string(i, 'p')));
}

TEST_F(TcpTest, LargeHeaderArrivesWhole) {
  std::string header(300'000, '\0');
  for (std::size_t i = 0; i < header.size(); ++i) header[i] = static_cast<char>(i * 7 % 251);
  const Frame frame = MakeFrame(1, header, std::string(100'000, 'p'));
  WriteAside(Encode(frame) + Encode(MakeFrame(2, "next", "")));
  ExpectFrame(frame);
  ExpectFrame(MakeFrame(2, "next", ""));
}

TEST_F(TcpTest, GarbageIsAProtocolErrorThatNamesThePeer) {
  Write("GET / HTTP/1.1\r\nHost: gabion.example\r\nAccept: */*\r\n\r\n");
  ExpectLost(ErrorCode::kProtocol, "does not speak Gabion's protocol");
}

TEST_F(TcpTest, RandomBytesAreAProtocolError) {
  std::mt19937_64 random(1);
  std::string bytes(4096, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
  Write(bytes);
  ExpectLost(ErrorCode::kProtocol, "malformed frame");
}

TEST_F(TcpTest, GoodFramesBeforeGarbageAreHandedOut) {
  Write(Encode(MakeFrame(1, "good", "one")) + std::string(100, 'x'));
  ExpectFrame(MakeFrame(1, "good", "one"));
  ExpectLost(ErrorCode::kProtocol, "malformed frame");
}

TEST_F(TcpTest, ChangedHeaderIsAProtocolError) {
  std::string bytes = Encode(MakeFrame(1, "a header", ""));
  bytes[kFrameHeadBytes + 3] ^= 1;
  Write(bytes);
  ExpectLost(ErrorCode::kProtocol, "the checksum of its header");
}

TEST_F(TcpTest, ChangedLargeHeaderIsAProtocolError) {
  std::string bytes = Encode(MakeFrame(1, std::string(200'000, 'h'), "payload"));
  bytes[kFrameHeadBytes + 100'000] ^= 1;
  WriteAside(std::move(bytes));
  ExpectLost(ErrorCode::kProtocol, "the checksum of its header");
}

TEST_F(TcpTest, EndWithinAFrameIsALostConnection) {
  const std::string bytes = Encode(MakeFrame(1, "header", "payload"));
  Write(bytes.substr(0, bytes.size() - 3));
  raw_.close();
  ExpectLost(ErrorCode::kConnectionLost, "closed the connection");
  ExpectLost(ErrorCode::kConnectionLost, "closed the connection");
}

TEST_F(TcpTest, ResetIsALostConnection) {
  raw_.set_option(asio::socket_base::linger(true, 0));
  raw_.close();
  ExpectLost(ErrorCode::kConnectionLost, "connection to");
}

TEST_F(TcpTest, SendGathersHeadHeaderAndPayload) {
  std::vector<Frame> frames;
  Frame frame = MakeFrame(1, "header", "pay");
  frame.payload.Append(Slice::CopyOf(std::string_view("load")));
  frames.push_back(frame);
  frames.push_back(MakeFrame(2, "", ""));
  const std::string expected = Encode(frames[0]) + Encode(frames[1]);
  ASSERT_TRUE(loops_.Run(connection_->Send(std::move(frames))));
  std::string got(expected.size(), '\0');
  asio::read(raw_, asio::buffer(got));
  EXPECT_EQ(got, expected);
}

Task<void> ReceiveAndDrop(ConnectionPtr connection, std::optional<Result<Frame>>& received) {
  Result<Frame> frame = co_await connection->Receive();
  received.emplace(std::move(frame));
}

/// The connection's next frame, received on `executor`'s loop, where the connection then ends.
Task<Result<Frame>> MoveAndReceive(ConnectionPtr connection, Executor executor) {
  std::optional<Result<Frame>> received;
  ConnectionPtr moved = connection->MoveTo(executor);
  Task<void> there = ReceiveAndDrop(std::move(moved), received);
  co_await asio::co_spawn(executor, std::move(there), asio::use_awaitable);
  co_return std::move(*received);
}

TEST_F(TcpTest, MovesToAnotherLoopWithWhatItHasRead) {
  const std::string second = Encode(MakeFrame(2, "second", "two"));
  Write(Encode(MakeFrame(1, "first", "one")) + second.substr(0, 20));
  ExpectFrame(MakeFrame(1, "first", "one"));
  Write(second.substr(20));
  const Result<Frame> got = loops_.Run(MoveAndReceive(std::move(connection_), loops_.env(1).executor));
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->payload.ToString(), "two");
}

TEST_F(TcpTest, LostConnectionMovesAndSaysSo) {
  raw_.close();
  ExpectLost(ErrorCode::kConnectionLost, "closed the connection");
  const Result<Frame> got = loops_.Run(MoveAndReceive(std::move(connection_), loops_.env(1).executor));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kConnectionLost);
}

TEST_F(TcpTest, SocketsDoNotDelayAndNoticeVanishedPeers) {
  SetSocketOptions(raw_);
  const auto option = [this](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(raw_.native_handle(), level, name, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
}

Task<Result<ConnectionPtr>> ConnectTo(Env& env, Endpoint endpoint, Duration limit) {
  return env.transport.Connect(std::move(endpoint), env.clock.Now() + limit);
}

TEST_F(TcpTest, NamesAreLookedUp) {
  const Result<ConnectionPtr> connection =
      loops_.Run(ConnectTo(loops_.env(), {"localhost", listener_->endpoint().port}, std::chrono::seconds(10)));
  ASSERT_TRUE(connection) << connection.error().ToString();
  EXPECT_THAT((*connection)->peer(), HasSubstr("localhost:"));
}

// The kernel answers for a listener whose queue is full by not answering.
TEST_F(TcpTest, PeerThatDoesNotAnswerIsGivenUpAtTheDeadline) {
  Tcp::acceptor full(io_, {asio::ip::make_address("127.0.0.1"), 0});
  full.listen(0);
  std::vector<ConnectionPtr> taken;
  const Endpoint at{"127.0.0.1", full.local_endpoint().port()};
  ErrorCode last = ErrorCode::kOk;
  for (int i = 0; i < 8 && last == ErrorCode::kOk; ++i) {
    Result<ConnectionPtr> connection = loops_.Run(ConnectTo(loops_.env(), at, std::chrono::milliseconds(100)));
    if (connection) {
      taken.push_back(std::move(*connection));
    } else {
      last = connection.error().code();
    }
  }
  EXPECT_EQ(last, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace gabion
