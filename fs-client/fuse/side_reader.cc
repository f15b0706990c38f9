#include "fs-client/fuse/side_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>

#include "common/env/real/os_error.h"

namespace gabion::fuse {
namespace {

/// How long an INTERRUPT may wait. Nothing is lost by it: the operation was waiting for something slower.
constexpr Duration kPause = std::chrono::milliseconds(10);

}  // namespace

SideReader::SideReader(EventLoop& loop, DeviceChannel& channel)
    : loop_(loop), channel_(channel), descriptor_(loop.io()) {}

Result<void> SideReader::Start() {
  int duplicate = fcntl(channel_.wake_fd(), F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return OsError("duplicating the FUSE device", errno);
  asio::error_code error;
  descriptor_.assign(duplicate, error);
  if (error) {
    close(duplicate);
    return OsError("waiting for the FUSE device", error.value());
  }
  tasks_.Spawn(loop_.env().executor, Run());
  return {};
}

Task<void> SideReader::Run() {
  while (!stopping_ && !channel_.ended()) {
    while (channel_.Poll()) {
    }
    if (channel_.ended()) break;
    co_await loop_.env().clock.SleepFor(kPause);
    if (stopping_) break;
    asio::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, token);
    if (error) break;
  }
}

Task<void> SideReader::Stop() {
  asio::post(loop_.env().executor, [this] {
    stopping_ = true;
    asio::error_code ignored;
    descriptor_.cancel(ignored);
  });
  co_await tasks_.Join();
}

}  // namespace gabion::fuse
