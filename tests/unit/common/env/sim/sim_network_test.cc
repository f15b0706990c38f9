#include "common/env/sim/sim_network.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>

#include "common/env/sim/sim_world.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SimNetworkTest : public testing::Test {
 protected:
  using ConnectionPtr = std::unique_ptr<Connection>;

  SimNetworkTest() {
    listener_ = std::move(*server_.env().transport.Listen({"server", 9000}));
    Connect();
  }

  Result<ConnectionPtr> TryConnect(Duration patience = seconds(5)) {
    const TimePoint deadline = client_.env().clock.Now() + patience;
    return world_.RunUntilDone(client_.env().transport.Connect({"server", 9000}, deadline));
  }
  void Connect() {
    near_ = std::move(*TryConnect());
    far_ = std::move(*world_.RunUntilDone(listener_->Accept()));
  }
  Result<void> Send(Connection& connection, std::uint64_t id, std::size_t payload_bytes = 0) {
    std::vector<Frame> frames(1);
    frames[0].request_id = id;
    if (payload_bytes > 0) frames[0].payload = Payload(Slice::CopyOf(std::string(payload_bytes, 'p')));
    return world_.RunUntilDone(connection.Send(std::move(frames)));
  }
  Result<Frame> Receive(Connection& connection) { return world_.RunUntilDone(connection.Receive()); }
  static Task<void> ReceiveInto(Connection& connection, std::optional<Result<Frame>>& result) {
    Result<Frame> frame = co_await connection.Receive();
    result.emplace(std::move(frame));
  }
  /// Receives in the background.
  void StartReceive(SimMachine& machine, Connection& connection, std::optional<Result<Frame>>& result) {
    asio::co_spawn(machine.env().executor, ReceiveInto(connection, result), [](std::exception_ptr) {});
  }

  SimWorld world_{1};
  SimMachine& server_ = world_.AddMachine("server");
  SimMachine& client_ = world_.AddMachine("client");
  std::unique_ptr<Listener> listener_;
  ConnectionPtr near_, far_;
};

TEST_F(SimNetworkTest, BlockedWireHoldsFramesUntilItIsMended) {
  world_.network().Block("client", "server");
  ASSERT_TRUE(Send(*near_, 1).has_value());
  ASSERT_TRUE(Send(*near_, 2).has_value());
  std::optional<Result<Frame>> received;
  StartReceive(server_, *far_, received);
  world_.RunFor(seconds(3));
  EXPECT_FALSE(received.has_value());
  ASSERT_TRUE(Send(*far_, 3).has_value());
  EXPECT_EQ(Receive(*near_)->request_id, 3u) << "the other direction passes";
  world_.network().Unblock("client", "server");
  world_.RunFor(milliseconds(10));
  ASSERT_TRUE(received.has_value() && received->has_value());
  EXPECT_EQ((*received)->request_id, 1u);
  EXPECT_EQ(Receive(*far_)->request_id, 2u);
}

TEST_F(SimNetworkTest, ConnectionThatCannotDeliverIsGivenUp) {
  world_.network().Cut("client", "server");
  ASSERT_TRUE(Send(*near_, 1).has_value());
  EXPECT_EQ(Receive(*near_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_GE(world_.elapsed(), world_.network().options().stalled_send_timeout);
}

TEST_F(SimNetworkTest, WireThatPassesNowAndThenDelivers) {
  for (std::uint64_t id = 1; id <= 5; ++id) {
    world_.network().Block("client", "server");
    ASSERT_TRUE(Send(*near_, id).has_value());
    world_.RunFor(seconds(4));  // 20 s in all, longer than a connection waits that delivers nothing
    world_.network().Unblock("client", "server");
    EXPECT_EQ(Receive(*far_)->request_id, id);
  }
}

TEST_F(SimNetworkTest, WhatWasSentOnAStrandedConnectionComesAfterTheNextOnes) {
  world_.network().Block("client", "server");
  ASSERT_TRUE(Send(*near_, 1).has_value());
  world_.network().Strand("client", "server", seconds(2));
  world_.network().Unblock("client", "server");
  EXPECT_EQ(Receive(*near_).error().code(), ErrorCode::kConnectionLost);
  const ConnectionPtr old_far = std::move(far_);
  Connect();
  ASSERT_TRUE(Send(*near_, 2).has_value());
  EXPECT_EQ(Receive(*far_)->request_id, 2u);
  EXPECT_LT(world_.elapsed(), seconds(1));
  EXPECT_EQ(Receive(*old_far)->request_id, 1u);
  EXPECT_GE(world_.elapsed(), seconds(2));
  EXPECT_EQ(Receive(*old_far).error().code(), ErrorCode::kConnectionLost);
}

TEST_F(SimNetworkTest, ConnectWaitsForTheWireUntilItsDeadline) {
  world_.network().Cut("client", "server");
  EXPECT_EQ(TryConnect(seconds(2)).error().code(), ErrorCode::kDeadlineExceeded);
  world_.network().MendAll();
  EXPECT_TRUE(TryConnect().has_value());
}

TEST_F(SimNetworkTest, KilledProcessClosesItsConnectionsAndListeners) {
  ASSERT_TRUE(Send(*far_, 1).has_value());
  server_.KillProcess();
  EXPECT_EQ(Receive(*near_)->request_id, 1u) << "what was sent before arrives";
  EXPECT_EQ(Receive(*near_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(Receive(*far_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(TryConnect().error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(world_.RunUntilDone(listener_->Accept()).error().code(), ErrorCode::kCancelled);

  listener_ = std::move(*server_.env().transport.Listen({"server", 9000}));
  Connect();
  ASSERT_TRUE(Send(*near_, 2).has_value());
  EXPECT_EQ(Receive(*far_)->request_id, 2u);
}

TEST_F(SimNetworkTest, PowerLossIsNoticedLate) {
  std::optional<Result<Frame>> received;
  StartReceive(client_, *near_, received);
  server_.LosePower();
  world_.RunFor(seconds(1));
  EXPECT_FALSE(received.has_value()) << "nobody told the client";
  world_.RunFor(seconds(10));
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->error().code(), ErrorCode::kConnectionLost);
}

TEST_F(SimNetworkTest, RebootedMachineResetsOldConnections) {
  server_.LosePower();
  ASSERT_TRUE(Send(*near_, 1).has_value());
  EXPECT_EQ(Receive(*near_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_LT(world_.elapsed(), seconds(1));
}

TEST_F(SimNetworkTest, ResetLosesWhatIsUnderWay) {
  ASSERT_TRUE(Send(*near_, 1).has_value());
  world_.network().ResetConnections("server", "client");
  EXPECT_EQ(Receive(*far_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(Receive(*near_).error().code(), ErrorCode::kConnectionLost);
  EXPECT_FALSE(Send(*near_, 2).has_value());
  EXPECT_TRUE(TryConnect().has_value());
}

TEST_F(SimNetworkTest, DeadProcessReachesNobody) {
  Env& dead = client_.env();
  client_.KillProcess();
  const TimePoint deadline = dead.clock.Now() + seconds(1);
  EXPECT_FALSE(world_.RunUntilDone(dead.transport.Connect({"server", 9000}, deadline)).has_value());
  EXPECT_FALSE(dead.transport.Listen({"client", 1}).has_value());
}

Task<void> SendMany(Connection& connection, int count, int& sent) {
  for (; sent < count; ++sent) {
    std::vector<Frame> frames(1);
    frames[0].payload = Payload(Slice::CopyOf(std::string(1024 * 1024, 'p')));
    Result<void> result = co_await connection.Send(std::move(frames));
    if (!result) co_return;
  }
}

TEST_F(SimNetworkTest, SenderWaitsForASlowReader) {
  int sent = 0;
  asio::co_spawn(client_.env().executor, SendMany(*near_, 100, sent), [](std::exception_ptr) {});
  world_.RunFor(seconds(10));
  EXPECT_LT(sent, 20);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Receive(*far_).has_value());
  EXPECT_EQ(sent, 100);
}

TEST_F(SimNetworkTest, FramesOfDifferentConnectionsOvertakeEachOther) {
  ConnectionPtr near_one = std::move(near_);
  ConnectionPtr far_one = std::move(far_);
  Connect();
  bool overtaken = false;
  for (std::uint64_t i = 0; i < 50 && !overtaken; ++i) {
    ASSERT_TRUE(Send(*near_one, 1).has_value());
    ASSERT_TRUE(Send(*near_, 2).has_value());
    std::optional<Result<Frame>> one, two;
    StartReceive(server_, *far_one, one);
    StartReceive(server_, *far_, two);
    world_.RunUntil([&] { return one.has_value() || two.has_value(); });
    overtaken = !one.has_value();
    world_.RunUntil([&] { return one.has_value() && two.has_value(); });
  }
  EXPECT_TRUE(overtaken);
}

}  // namespace
}  // namespace gabion
