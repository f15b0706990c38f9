#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/result.h"
#include "common/coro/task.h"
#include "common/env/clock.h"

namespace gabion {

/// Where a server listens. Text form: HOST:PORT, [V6]:PORT.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
  std::string ToString() const;
  /// Errors: kInvalidArgument. Without a port, `default_port` is taken; 0 there makes the port required.
  static Result<Endpoint> Parse(std::string_view text, std::uint16_t default_port);
};

/// Requests and responses share one frame; docs/formats/rpc_frame.md has the bytes.
enum class FrameKind : std::uint8_t { kHello = 1, kHelloReply = 2, kRequest = 3, kResponse = 4 };

struct Frame {
  FrameKind kind = FrameKind::kRequest;
  std::uint16_t method = 0;
  ErrorCode status = ErrorCode::kOk;  // responses
  std::uint64_t request_id = 0;
  std::uint32_t deadline_ms = 0;  // requests: how long the sender will wait; 0: unstated
  std::string header;             // a Protobuf message, at most kMaxHeaderBytes
  Payload payload;                // at most kMaxPayloadBytes
};

inline constexpr std::size_t kMaxHeaderBytes = 1024 * 1024;

/// An ordered stream of frames that fails as a whole, as TCP does. Belongs to one event loop; the only thread-safe call
/// is the destructor after both directions ended.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Sends the frames in order, as few system calls as possible. One Send at a time. A frame sent is not a frame
  /// received. Errors: kConnectionLost, after which nothing more is sent or received.
  virtual Task<Result<void>> Send(std::vector<Frame> frames) = 0;

  /// The next frame, its payload contiguous. One Receive at a time. Errors: kConnectionLost; kProtocol if the peer sent
  /// something malformed (said in the message; the connection is then of no more use).
  virtual Task<Result<Frame>> Receive() = 0;

  /// Ends both directions; pending calls return kConnectionLost. Idempotent. On the connection's loop.
  virtual void Close() = 0;

  /// Who is at the other end, for logs.
  virtual std::string peer() const = 0;

  /// The same connection on another event loop. Nothing may be pending; `this` is empty afterwards. Returns what the
  /// caller hands to code running on `executor`.
  virtual std::unique_ptr<Connection> MoveTo(Executor executor) = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  /// Errors: kCancelled after Close(). Other failures (out of descriptors) are waited out inside.
  virtual Task<Result<std::unique_ptr<Connection>>> Accept() = 0;
  virtual void Close() = 0;
  /// With the port that was really taken.
  virtual Endpoint endpoint() const = 0;
};

/// The network of one event loop.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Errors: kUnavailable (refused, unreachable, unknown host), kDeadlineExceeded.
  virtual Task<Result<std::unique_ptr<Connection>>> Connect(Endpoint endpoint, TimePoint deadline) = 0;

  /// Port 0 takes a free one. Errors: kBusy if the port is taken, kInvalidArgument for an address that is not ours.
  virtual Result<std::unique_ptr<Listener>> Listen(Endpoint endpoint) = 0;
};

}  // namespace gabion
