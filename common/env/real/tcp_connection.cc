#include "common/env/real/tcp_connection.h"

#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/redirect_error.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gabion {
namespace {

/// Sends what the socket takes now. Returns 0 when all is sent, EAGAIN when it is full, or another errno; `first` and
/// the iovec there say what is left.
int SendOn(int fd, std::vector<iovec>& iovecs, std::size_t& first) {
  while (first < iovecs.size()) {
    msghdr message{};
    message.msg_iov = &iovecs[first];
    message.msg_iovlen = std::min<std::size_t>(iovecs.size() - first, IOV_MAX);
    ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno;
    auto bytes = static_cast<std::size_t>(sent);
    while (first < iovecs.size() && bytes >= iovecs[first].iov_len) bytes -= iovecs[first++].iov_len;
    if (bytes > 0) {
      iovecs[first].iov_base = static_cast<std::byte*>(iovecs[first].iov_base) + bytes;
      iovecs[first].iov_len -= bytes;
    }
  }
  return 0;
}

}  // namespace

TcpConnection::TcpConnection(asio::ip::tcp::socket socket, std::string peer)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kReadBufferBytes)) {}

Error TcpConnection::Lost(const asio::error_code& reason) const {
  if (reason == asio::error::eof) return {ErrorCode::kConnectionLost, peer_ + " closed the connection"};
  if (reason == asio::error::operation_aborted || reason == asio::error::bad_descriptor) {
    return {ErrorCode::kConnectionLost, "the connection to " + peer_ + " was closed on this side"};
  }
  return {ErrorCode::kConnectionLost, "connection to " + peer_ + ": " + reason.message()};
}

Error TcpConnection::Broken(const Error& reason) const {
  return reason.WithContext("from " + peer_);
}

void TcpConnection::Gather(const std::vector<Frame>& frames) {
  heads_.clear();
  iovecs_.clear();
  heads_.reserve(frames.size());  // iovecs point into it
  for (const Frame& frame : frames) {
    heads_.push_back(EncodeFrameHead(frame));
    iovecs_.push_back({heads_.back().data(), kFrameHeadBytes});
    if (!frame.header.empty()) iovecs_.push_back({const_cast<char*>(frame.header.data()), frame.header.size()});
    for (const Slice& slice : frame.payload.slices()) {
      iovecs_.push_back({const_cast<std::byte*>(slice.data()), slice.size()});
    }
  }
}

Task<Result<void>> TcpConnection::Send(std::vector<Frame> frames) {
  Gather(frames);
  std::size_t first = 0;
  for (;;) {
    // Straight to the kernel: with Asio's operation a send that succeeds at once would still go through the queue.
    if (!socket_.is_open()) co_return Lost(asio::error::operation_aborted);
    int error = SendOn(socket_.native_handle(), iovecs_, first);
    if (error == 0) co_return Result<void>();
    if (error != EAGAIN && error != EWOULDBLOCK) {
      co_return Lost(asio::error_code(error, asio::error::get_system_category()));
    }
    asio::error_code failed;
    co_await socket_.async_wait(asio::ip::tcp::socket::wait_write, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) co_return Lost(failed);
  }
}

Task<Result<Frame>> TcpConnection::Receive() {
  if (!socket_.is_open()) co_return Lost(asio::error::bad_descriptor);
  if (buffered() < kFrameHeadBytes) CO_TRY(co_await FillHead());
  std::span<const std::byte, kFrameHeadBytes> bytes(buffer_.get() + begin_, kFrameHeadBytes);
  Result<FrameHead> head = DecodeFrameHead(bytes);
  if (!head) co_return Broken(head.error());
  begin_ += kFrameHeadBytes;
  if (buffered() < head->header_bytes + head->payload_bytes) {
    FrameHead rest = *head;
    co_return co_await ReceiveBody(rest);
  }

  // Everything is here: nothing to wait for.
  Frame frame = FrameOf(*head);
  frame.header.assign(reinterpret_cast<const char*>(buffer_.get() + begin_), head->header_bytes);
  begin_ += head->header_bytes;
  if (Result<void> checked = CheckFrameHeader(*head, frame.header); !checked) co_return Broken(checked.error());
  if (head->payload_bytes > 0) {
    frame.payload = Payload(Slice::CopyOf(std::span<const std::byte>(buffer_.get() + begin_, head->payload_bytes)));
    begin_ += head->payload_bytes;
  }
  co_return frame;
}

/// Waits until a whole head is in the buffer.
Task<Result<void>> TcpConnection::FillHead() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, buffered());
    end_ -= std::exchange(begin_, 0);
  }
  while (buffered() < kFrameHeadBytes) {
    asio::mutable_buffer room(buffer_.get() + end_, kReadBufferBytes - end_);
    asio::error_code failed;
    if (read_failure_) co_return Lost(read_failure_);
    std::size_t got = co_await socket_.async_read_some(room, asio::redirect_error(asio::use_awaitable, failed));
    if (!failed && !socket_.is_open()) failed = asio::error::operation_aborted;  // closed when this had been read
    read_failure_ = failed;
    if (failed) co_return Lost(failed);
    end_ += got;
  }
  co_return Result<void>();
}

/// The rest of a frame that has not arrived whole. Whoever sent the head may never send more, so memory is taken as it
/// fills: the header's step by step, the payload's by the kernel, page by page.
Task<Result<Frame>> TcpConnection::ReceiveBody(FrameHead head) {
  Frame frame = FrameOf(head);
  while (frame.header.size() < head.header_bytes) {
    const std::size_t done = frame.header.size();
    frame.header.resize(std::min<std::size_t>(head.header_bytes, done + kReadBufferBytes));
    std::span<std::byte> part(reinterpret_cast<std::byte*>(frame.header.data()) + done, frame.header.size() - done);
    CO_TRY(co_await ReadInto(part));
  }
  if (Result<void> checked = CheckFrameHeader(head, frame.header); !checked) co_return Broken(checked.error());
  if (head.payload_bytes > 0) {
    MutableBuffer payload(head.payload_bytes);
    CO_TRY(co_await ReadInto(payload.span()));
    frame.payload = Payload(std::move(payload).Share());
  }
  co_return frame;
}

std::size_t TcpConnection::TakeBuffered(std::span<std::byte> target) {
  std::size_t count = std::min(buffered(), target.size());
  if (count > 0) std::memcpy(target.data(), buffer_.get() + begin_, count);
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
  return count;
}

/// Fills `target` from the buffer, then from the socket; what comes behind it in the same read goes to the buffer.
Task<Result<void>> TcpConnection::ReadInto(std::span<std::byte> target) {
  std::size_t done = TakeBuffered(target);
  while (done < target.size()) {  // the buffer is empty from here on
    std::size_t missing = target.size() - done;
    std::array<asio::mutable_buffer, 2> room{asio::mutable_buffer(target.data() + done, missing),
                                             asio::mutable_buffer(buffer_.get(), kReadBufferBytes)};
    asio::error_code failed;
    std::size_t got = co_await socket_.async_read_some(room, asio::redirect_error(asio::use_awaitable, failed));
    if (!failed && !socket_.is_open()) failed = asio::error::operation_aborted;  // closed when this had been read
    read_failure_ = failed;
    if (failed) co_return Lost(failed);
    done += std::min(got, missing);
    if (got > missing) end_ = got - missing;
  }
  co_return Result<void>();
}

void TcpConnection::Close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

std::unique_ptr<Connection> TcpConnection::MoveTo(Executor executor) {
  asio::ip::tcp protocol = asio::ip::tcp::v4();
  asio::error_code failed;
  asio::ip::tcp::endpoint local = socket_.local_endpoint(failed);
  if (!failed) protocol = local.protocol();
  asio::ip::tcp::socket moved(std::move(executor));
  int fd = socket_.release(failed);
  if (!failed) moved.assign(protocol, fd, failed);  // a lost connection arrives closed, and says so at its first use
  auto connection = std::make_unique<TcpConnection>(std::move(moved), peer_);
  std::swap(connection->buffer_, buffer_);
  connection->begin_ = std::exchange(begin_, 0);
  connection->end_ = std::exchange(end_, 0);
  connection->read_failure_ = read_failure_;
  return connection;
}

}  // namespace gabion
