#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/byte_units.h"
#include "common/env/sim/sim_random.h"
#include "common/env/transport.h"
#include "tests/contract/env_benches.h"

namespace gabion {
namespace {

using ConnectionPtr = std::unique_ptr<Connection>;
constexpr Duration kPatience = std::chrono::seconds(10);

Frame MakeFrame(std::uint64_t id, std::string header, const std::string& payload) {
  Frame frame;
  frame.request_id = id;
  frame.header = std::move(header);
  if (!payload.empty()) frame.payload = Payload(Slice::CopyOf(payload));
  return frame;
}

std::vector<Frame> One(Frame frame) {
  std::vector<Frame> frames;
  frames.push_back(std::move(frame));
  return frames;
}

template <typename Bench>
class TransportContract : public testing::Test {
 protected:
  Task<Result<ConnectionPtr>> Connecting(Endpoint endpoint) {
    Env& env = bench_.client();
    return env.transport.Connect(std::move(endpoint), env.clock.Now() + kPatience);
  }
  std::unique_ptr<Listener> MustListen() {
    Result<std::unique_ptr<Listener>> listener = bench_.server().transport.Listen({bench_.server_host(), 0});
    CHECK(listener.has_value());
    return std::move(*listener);
  }
  /// A pair of connected ends.
  void Connect() {
    if (!listener_) listener_ = MustListen();
    Result<ConnectionPtr> near = bench_.Run(Connecting(listener_->endpoint()));
    CHECK(near.has_value());
    near_ = std::move(*near);
    Result<ConnectionPtr> far = bench_.Run(listener_->Accept());
    CHECK(far.has_value());
    far_ = std::move(*far);
  }
  Result<void> Send(Connection& connection, Frame frame) { return bench_.Run(connection.Send(One(std::move(frame)))); }
  Result<Frame> Receive(Connection& connection) { return bench_.Run(connection.Receive()); }

  Bench bench_;
  std::unique_ptr<Listener> listener_;
  ConnectionPtr near_, far_;
};
using Benches = testing::Types<RealEnvBench, SimEnvBench>;
TYPED_TEST_SUITE(TransportContract, Benches, BenchNames);

TYPED_TEST(TransportContract, FreePortIsTold) {
  const std::unique_ptr<Listener> a = this->MustListen();
  const std::unique_ptr<Listener> b = this->MustListen();
  EXPECT_NE(a->endpoint().port, 0);
  EXPECT_NE(a->endpoint().port, b->endpoint().port);
  EXPECT_EQ(a->endpoint().host, this->bench_.server_host());
}

TYPED_TEST(TransportContract, TakenPortIsBusy) {
  const std::unique_ptr<Listener> first = this->MustListen();
  Result<std::unique_ptr<Listener>> second = this->bench_.server().transport.Listen(first->endpoint());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kBusy);
}

TYPED_TEST(TransportContract, PortOfAClosedListenerIsFree) {
  std::unique_ptr<Listener> first = this->MustListen();
  const Endpoint endpoint = first->endpoint();
  first.reset();
  EXPECT_TRUE(this->bench_.server().transport.Listen(endpoint).has_value());
}

TYPED_TEST(TransportContract, ForeignAddressIsRefused) {
  Result<std::unique_ptr<Listener>> listener = this->bench_.server().transport.Listen({this->bench_.foreign_host(), 0});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code(), ErrorCode::kInvalidArgument);
}

TYPED_TEST(TransportContract, NobodyListeningIsUnavailable) {
  std::unique_ptr<Listener> listener = this->MustListen();
  const Endpoint endpoint = listener->endpoint();
  listener.reset();
  Result<ConnectionPtr> connection = this->bench_.Run(this->Connecting(endpoint));
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(connection.error().message().empty());
}

TYPED_TEST(TransportContract, FrameArrivesAsItWas) {
  this->Connect();
  Frame sent = MakeFrame(0x123456789abcdef0, "header \xff", "payload");
  sent.payload.Append(Slice::CopyOf(std::string_view(" in two")));
  sent.kind = FrameKind::kResponse;
  sent.method = 77;
  sent.status = ErrorCode::kStaleEpoch;
  sent.deadline_ms = 1234;
  ASSERT_TRUE(this->Send(*this->near_, sent).has_value());
  Result<Frame> received = this->Receive(*this->far_);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->kind, sent.kind);
  EXPECT_EQ(received->method, sent.method);
  EXPECT_EQ(received->status, sent.status);
  EXPECT_EQ(received->request_id, sent.request_id);
  EXPECT_EQ(received->deadline_ms, sent.deadline_ms);
  EXPECT_EQ(received->header, sent.header);
  EXPECT_EQ(received->payload.ToString(), "payload in two");
  EXPECT_EQ(received->payload.slices().size(), 1u) << "contiguous";
}

TYPED_TEST(TransportContract, BothDirectionsAndEmptyFrames) {
  this->Connect();
  for (Connection* from : {this->near_.get(), this->far_.get()}) {
    Connection& to = from == this->near_.get() ? *this->far_ : *this->near_;
    ASSERT_TRUE(this->Send(*from, MakeFrame(1, "", "")).has_value());
    Result<Frame> received = this->Receive(to);
    ASSERT_TRUE(received.has_value());
    EXPECT_TRUE(received->header.empty());
    EXPECT_TRUE(received->payload.empty());
    EXPECT_FALSE(from->peer().empty());
  }
}

Task<void> SendNumbered(Connection& connection, std::uint64_t count, bool& good) {
  SimRandom random(1);
  for (std::uint64_t id = 0; id < count;) {
    std::vector<Frame> frames;
    for (std::uint64_t batch = random.Below(20) + 1; batch > 0 && id < count; --batch, ++id) {
      const std::string header(random.Below(300), 'h');
      const std::string payload(random.Chance(1, 10) ? random.Below(200'000) : random.Below(100),
                                static_cast<char>('a' + id % 26));
      frames.push_back(MakeFrame(id, header, payload));
    }
    Result<void> sent = co_await connection.Send(std::move(frames));
    good = good && sent.has_value();
  }
}

Task<void> ReceiveNumbered(Connection& connection, std::uint64_t count, bool& good) {
  for (std::uint64_t id = 0; id < count; ++id) {
    Result<Frame> frame = co_await connection.Receive();
    good = good && frame.has_value() && frame->request_id == id;
    if (!good) co_return;
    const std::string payload = frame->payload.ToString();
    good = payload == std::string(payload.size(), static_cast<char>('a' + id % 26));
  }
}

TYPED_TEST(TransportContract, OrderIsKeptInBothDirectionsAtOnce) {
  this->Connect();
  bool good = true;
  std::vector<Task<void>> tasks;
  tasks.push_back(SendNumbered(*this->near_, 2000, good));
  tasks.push_back(SendNumbered(*this->far_, 2000, good));
  tasks.push_back(ReceiveNumbered(*this->near_, 2000, good));
  tasks.push_back(ReceiveNumbered(*this->far_, 2000, good));
  this->bench_.RunAll(std::move(tasks));
  EXPECT_TRUE(good);
}

Task<void> SendOne(Connection& connection, Frame frame, bool& good) {
  Result<void> sent = co_await connection.Send(One(std::move(frame)));
  good = good && sent.has_value();
}

Task<void> ReceiveOne(Connection& connection, std::optional<Result<Frame>>& received) {
  Result<Frame> frame = co_await connection.Receive();
  received.emplace(std::move(frame));
}

TYPED_TEST(TransportContract, LargestFramePasses) {
  this->Connect();
  const std::string header(kMaxHeaderBytes, 'h');
  std::string payload(kMaxPayloadBytes, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 2654435761u >> 11);
  bool good = true;
  std::optional<Result<Frame>> received;
  std::vector<Task<void>> tasks;
  tasks.push_back(SendOne(*this->near_, MakeFrame(1, header, payload), good));
  tasks.push_back(ReceiveOne(*this->far_, received));
  this->bench_.RunAll(std::move(tasks));
  ASSERT_TRUE(good && received->has_value());
  EXPECT_EQ((*received)->header, header);
  EXPECT_TRUE((*received)->payload.ToString() == payload);
}

TYPED_TEST(TransportContract, WhatWasSentBeforeTheCloseArrives) {
  this->Connect();
  for (std::uint64_t id = 0; id < 3; ++id) ASSERT_TRUE(this->Send(*this->near_, MakeFrame(id, "", "x")).has_value());
  this->near_->Close();
  this->near_->Close();
  for (std::uint64_t id = 0; id < 3; ++id) {
    Result<Frame> frame = this->Receive(*this->far_);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->request_id, id);
  }
  for (int again = 0; again < 2; ++again) {
    Result<Frame> frame = this->Receive(*this->far_);
    ASSERT_FALSE(frame.has_value());
    EXPECT_EQ(frame.error().code(), ErrorCode::kConnectionLost);
  }
}

TYPED_TEST(TransportContract, DestroyedEndIsAClosedEnd) {
  this->Connect();
  this->near_.reset();
  Result<Frame> frame = this->Receive(*this->far_);
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().code(), ErrorCode::kConnectionLost);
}

TYPED_TEST(TransportContract, ClosedEndNeitherSendsNorReceives) {
  this->Connect();
  ASSERT_TRUE(this->Send(*this->far_, MakeFrame(1, "", "")).has_value());
  this->near_->Close();
  Result<void> sent = this->Send(*this->near_, MakeFrame(1, "", ""));
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code(), ErrorCode::kConnectionLost);
  Result<Frame> frame = this->Receive(*this->near_);
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().code(), ErrorCode::kConnectionLost);
}

Task<void> CloseLater(Clock& clock, Connection& connection) {
  co_await clock.SleepFor(std::chrono::milliseconds(5));
  connection.Close();
}

TYPED_TEST(TransportContract, CloseEndsAPendingReceive) {
  this->Connect();
  std::optional<Result<Frame>> received;
  std::vector<Task<void>> tasks;
  tasks.push_back(ReceiveOne(*this->near_, received));
  tasks.push_back(CloseLater(this->bench_.client().clock, *this->near_));
  this->bench_.RunAll(std::move(tasks));
  ASSERT_FALSE(received->has_value());
  EXPECT_EQ(received->error().code(), ErrorCode::kConnectionLost);
}

Task<void> SendUntilLost(Connection& connection, std::optional<ErrorCode>& error) {
  while (!error) {
    Result<void> sent = co_await connection.Send(One(MakeFrame(1, "", std::string(kMiB, 'x'))));
    if (!sent) error = sent.error().code();
  }
}

TYPED_TEST(TransportContract, CloseEndsASendThatWaitsForASlowPeer) {
  this->Connect();
  std::optional<ErrorCode> error;
  std::vector<Task<void>> tasks;
  tasks.push_back(SendUntilLost(*this->near_, error));
  tasks.push_back(CloseLater(this->bench_.client().clock, *this->near_));
  this->bench_.RunAll(std::move(tasks));
  EXPECT_EQ(error, ErrorCode::kConnectionLost);
}

TYPED_TEST(TransportContract, SenderLearnsThatThePeerIsGone) {
  this->Connect();
  this->far_.reset();
  std::optional<ErrorCode> error;
  std::vector<Task<void>> tasks;
  tasks.push_back(SendUntilLost(*this->near_, error));
  this->bench_.RunAll(std::move(tasks));
  EXPECT_EQ(error, ErrorCode::kConnectionLost);
}

Task<void> AcceptOne(Listener& listener, std::optional<Result<ConnectionPtr>>& accepted) {
  Result<ConnectionPtr> connection = co_await listener.Accept();
  accepted.emplace(std::move(connection));
}

Task<void> CloseListenerLater(Clock& clock, Listener& listener) {
  co_await clock.SleepFor(std::chrono::milliseconds(5));
  listener.Close();
}

TYPED_TEST(TransportContract, CloseEndsAPendingAccept) {
  this->listener_ = this->MustListen();
  std::optional<Result<ConnectionPtr>> accepted;
  std::vector<Task<void>> tasks;
  tasks.push_back(AcceptOne(*this->listener_, accepted));
  tasks.push_back(CloseListenerLater(this->bench_.server().clock, *this->listener_));
  this->bench_.RunAll(std::move(tasks));
  ASSERT_FALSE(accepted->has_value());
  EXPECT_EQ(accepted->error().code(), ErrorCode::kCancelled);
  Result<ConnectionPtr> again = this->bench_.Run(this->listener_->Accept());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::kCancelled);
}

TYPED_TEST(TransportContract, ManyConnectionsToOneListener) {
  this->listener_ = this->MustListen();
  std::vector<std::pair<ConnectionPtr, ConnectionPtr>> pairs;
  for (std::uint64_t i = 0; i < 50; ++i) {
    this->Connect();
    pairs.emplace_back(std::move(this->near_), std::move(this->far_));
  }
  for (std::uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(this->Send(*pairs[i].first, MakeFrame(i, "", "")).has_value());
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_EQ(this->Receive(*pairs[i].second)->request_id, i);
}

TYPED_TEST(TransportContract, MovedConnectionGoesOn) {
  this->Connect();
  ASSERT_TRUE(this->Send(*this->near_, MakeFrame(1, "before", "")).has_value());
  ASSERT_TRUE(this->Send(*this->near_, MakeFrame(2, "before", "")).has_value());
  // What has been received and not handed out yet moves along.
  EXPECT_EQ(this->Receive(*this->far_)->request_id, 1u);
  this->far_ = this->far_->MoveTo(this->bench_.server().executor);
  EXPECT_EQ(this->Receive(*this->far_)->request_id, 2u);
  ASSERT_TRUE(this->Send(*this->far_, MakeFrame(3, "after", "")).has_value());
  EXPECT_EQ(this->Receive(*this->near_)->request_id, 3u);
}

}  // namespace
}  // namespace gabion
