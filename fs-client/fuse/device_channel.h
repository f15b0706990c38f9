#pragma once

#include <cstddef>
#include <memory>

#include "common/env/real/unique_fd.h"
#include "fs-client/fuse/channel.h"
#include "fs-client/fuse/decode.h"

namespace gabion::fuse {

/// FUSE over /dev/fuse: one descriptor of the connection (a clone of its own for each loop), read until it is empty;
/// replies go to the descriptor that their request came from, which is the only one that knows it.
class DeviceChannel : public Channel {
 public:
  /// `sink` and `events` outlive it.
  DeviceChannel(UniqueFd device, std::size_t max_write_bytes, Dialect dialect, RequestSink& sink,
                ConnectionEvents& events);
  ~DeviceChannel() override;

  Result<void> Start() override;
  bool Poll() override;
  int wake_fd() const override { return device_.get(); }

  bool Send(ReplyTarget target, int error, std::span<const std::byte> body) override;
  bool Send(ReplyTarget target, const Payload& body) override;
  std::span<std::byte> Scratch(ReplyTarget target, std::size_t size) override;

  bool ended() const { return ended_; }

 private:
  enum class ReadResult { kRequest, kNothing, kEnded };
  ReadResult ReadOne();
  bool Write(ReplyTarget target, int error, const struct iovec* parts, std::size_t count);
  void End(int error);

  UniqueFd device_;
  const std::size_t buffer_bytes_;
  const Dialect dialect_;
  RequestSink& sink_;
  ConnectionEvents& events_;
  bool ended_ = false;
  std::unique_ptr<std::byte[]> buffer_;   // the request under way
  std::unique_ptr<std::byte[]> scratch_;  // the reply being built
  std::size_t scratch_bytes_ = 0;
};

/// Another descriptor of the same connection, with a queue of its own for what it has read. Where /dev/fuse itself may
/// not be opened (it takes its mode from the administrator), a duplicate, which shares that queue: right as well, only
/// slower. Errors: kIo.
Result<UniqueFd> CloneDevice(int device);

}  // namespace gabion::fuse
