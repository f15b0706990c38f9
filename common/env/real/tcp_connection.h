#pragma once

#include <sys/uio.h>

#include <asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "common/env/transport.h"
#include "common/rpc/frame_codec.h"

namespace gabion {

/// Frames over one TCP socket. Many small frames cost one system call in either direction: a Send gathers all of its
/// frames, and what arrives is read into a buffer of kReadBufferBytes from which frames are cut. Large payloads are
/// read into the memory that is handed out.
class TcpConnection final : public Connection {
 public:
  /// `socket` is connected and belongs to the loop whose executor it has.
  TcpConnection(asio::ip::tcp::socket socket, std::string peer);

  Task<Result<void>> Send(std::vector<Frame> frames) override;
  Task<Result<Frame>> Receive() override;
  void Close() override;
  std::string peer() const override { return peer_; }
  std::unique_ptr<Connection> MoveTo(Executor executor) override;

 private:
  static constexpr std::size_t kReadBufferBytes = 64 * 1024;

  Task<Result<void>> FillHead();
  Task<Result<void>> ReadInto(std::span<std::byte> target);
  Task<Result<Frame>> ReceiveBody(FrameHead head);
  std::size_t TakeBuffered(std::span<std::byte> target);
  std::size_t buffered() const { return end_ - begin_; }
  void Gather(const std::vector<Frame>& frames);
  Error Lost(const asio::error_code& reason) const;
  Error Broken(const Error& reason) const;

  asio::ip::tcp::socket socket_;
  const std::string peer_;

  std::unique_ptr<std::byte[]> buffer_;  // [begin_, end_) has arrived and is not handed out yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  asio::error_code read_failure_;  // kept, for the reactor reports an end once: a second read would wait for ever

  // Of the Send under way; kept for their memory.
  std::vector<FrameHeadBytes> heads_;
  std::vector<iovec> iovecs_;
};

}  // namespace gabion
