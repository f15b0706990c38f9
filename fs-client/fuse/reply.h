#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "common/base/buffer.h"
#include "fs-client/fuse/kernel_abi.h"

namespace gabion::fuse {

/// Which request a reply is for: the kernel's id of it, and the place in the transport that it came from.
struct ReplyTarget {
  std::uint64_t unique = 0;
  void* slot = nullptr;
};

/// The way back to the kernel, of one transport on one loop: called on that loop's thread only, once for each request.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  /// `error` is a positive errno, or 0 with the reply's body. False if the kernel no longer wants the reply: it has
  /// forgotten the request (aborted, unmounted), and what the reply would have handed over is still the caller's.
  virtual bool Send(ReplyTarget target, int error, std::span<const std::byte> body) = 0;
  virtual bool Send(ReplyTarget target, const Payload& body) = 0;

  /// Memory to build a reply of up to `size` bytes in, which Send then takes without a copy where the transport can.
  /// Good until the caller suspends or sends. May be shorter than asked for: what the transport can carry.
  virtual std::span<std::byte> Scratch(ReplyTarget target, std::size_t size) = 0;
};

/// Owes the kernel one reply, and gives it: EIO from the destructor if nobody else did.
class Reply {
 public:
  Reply() = default;
  Reply(ReplySink& sink, ReplyTarget target) : sink_(&sink), target_(target) {}
  Reply(Reply&& other) noexcept : sink_(std::exchange(other.sink_, nullptr)), target_(other.target_) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  /// `error`: a positive errno.
  void Fail(int error);
  bool Ok() { return SendBytes({}); }
  /// One of the kernel's structs.
  template <typename T>
  bool Send(const T& out) {
    return SendBytes(std::as_bytes(std::span(&out, 1)));
  }
  bool SendBytes(std::span<const std::byte> body);
  bool SendPayload(const Payload& body);
  std::span<std::byte> Scratch(std::size_t size);
  /// For requests that have no reply.
  void Dismiss() { sink_ = nullptr; }

 private:
  ReplySink& Take();

  ReplySink* sink_ = nullptr;
  ReplyTarget target_;
};

}  // namespace gabion::fuse
