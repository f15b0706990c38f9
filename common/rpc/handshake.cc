#include "common/rpc/handshake.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "common/rpc/error_frame.h"
#include "proto/common.pb.h"

namespace gabion {
namespace {

Task<void> CloseAt(Env& env, Connection& connection, CancellableSleep& sleep, TimePoint deadline, bool& expired) {
  co_await sleep.Until(env, deadline);
  if (sleep.cancelled()) co_return;
  expired = true;
  connection.Close();
}

}  // namespace

Frame MakeHello(const Identity& identity, std::uint32_t cpu) {
  proto::Hello hello;
  hello.set_min_version(kProtocolVersionMin);
  hello.set_max_version(kProtocolVersionMax);
  hello.set_role(identity.role);
  hello.set_software(SoftwareVersion());
  hello.set_host_id(identity.host_id);
  hello.set_cpu(cpu);
  hello.set_identity(identity.number);
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.header = hello.SerializeAsString();
  return frame;
}

Result<Greeting> ReadHello(const Frame& frame) {
  proto::Hello hello;
  if (frame.kind != FrameKind::kHello || !hello.ParseFromString(frame.header)) {
    return {ErrorCode::kProtocol, "the connection did not begin with a hello"};
  }
  std::uint32_t lowest = std::max(hello.min_version(), kProtocolVersionMin);
  std::uint32_t highest = std::min(hello.max_version(), kProtocolVersionMax);
  if (lowest > highest) {
    return {ErrorCode::kVersionMismatch,
            fmt::format("{} speaks protocol versions {} to {}, {} speaks {} to {}: upgrade the older one",
                        hello.software().empty() ? "the caller" : hello.software(), hello.min_version(),
                        hello.max_version(), SoftwareVersion(), kProtocolVersionMin, kProtocolVersionMax)};
  }
  Greeting greeting;
  greeting.caller = {hello.role(), hello.host_id(), hello.identity()};
  greeting.cpu = hello.cpu();
  greeting.version = highest;
  return greeting;
}

Frame MakeHelloReply(const Identity& identity, std::uint32_t version) {
  proto::HelloReply reply;
  reply.set_version(version);
  reply.set_role(identity.role);
  reply.set_software(SoftwareVersion());
  reply.set_host_id(identity.host_id);
  Frame frame;
  frame.kind = FrameKind::kHelloReply;
  frame.header = reply.SerializeAsString();
  return frame;
}

Frame MakeHelloRefusal(const Error& error) {
  Frame frame;
  frame.kind = FrameKind::kHelloReply;
  WriteError(error, frame);
  return frame;
}

Result<Identity> ReadHelloReply(const Frame& frame) {
  if (frame.kind != FrameKind::kHelloReply) return {ErrorCode::kProtocol, "the server did not answer with a hello"};
  if (frame.status != ErrorCode::kOk) return ReadError(frame);
  proto::HelloReply reply;
  if (!reply.ParseFromString(frame.header)) return {ErrorCode::kProtocol, "the server's hello does not parse"};
  if (reply.version() < kProtocolVersionMin || reply.version() > kProtocolVersionMax) {
    return {ErrorCode::kVersionMismatch, fmt::format("the server chose protocol version {}, which {} does not speak",
                                                     reply.version(), SoftwareVersion())};
  }
  return Identity{reply.role(), reply.host_id(), 0};
}

Task<Result<Frame>> ExchangeBefore(Env& env, Connection& connection, std::vector<Frame> frames, TimePoint deadline) {
  CancellableSleep sleep;
  bool expired = false;
  TaskGroup watch;
  watch.Spawn(env.executor, CloseAt(env, connection, sleep, deadline, expired));

  Result<void> sent;
  if (!frames.empty()) sent = co_await connection.Send(std::move(frames));
  Result<Frame> received = sent ? Frame{} : Result<Frame>(sent.error());
  if (sent) received = co_await connection.Receive();

  sleep.Cancel();
  co_await watch.Join();
  if (expired) co_return Error(ErrorCode::kDeadlineExceeded, "no hello from " + connection.peer() + " in time");
  co_return received;
}

}  // namespace gabion
