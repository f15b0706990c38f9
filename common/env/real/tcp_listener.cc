#include "common/env/real/tcp_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <utility>

#include "common/base/log.h"
#include "common/env/real/tcp_connection.h"

namespace gabion {
namespace {

// How long an accept that found no descriptor or memory waits for others to give some back.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

constexpr int kVanishedPeerMs = 20'000;
constexpr int kKeepAliveIdleSeconds = 10;
constexpr int kKeepAliveIntervalSeconds = 5;
constexpr int kKeepAliveProbes = 2;

void SetOption(int fd, int level, int name, int value) {
  // A connection without one of them is slower or slower to fail, and still right.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof(value)));
}

bool IsShortage(const asio::error_code& error) {
  return error == asio::error::no_descriptors || error == asio::error::no_memory ||
         error == asio::error::no_buffer_space || error.value() == ENFILE;
}

}  // namespace

void SetSocketOptions(asio::ip::tcp::socket& socket) {
  int fd = socket.native_handle();
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kVanishedPeerMs);
}

std::string PeerName(const asio::ip::tcp::socket& socket) {
  asio::error_code failed;
  asio::ip::tcp::endpoint peer = socket.remote_endpoint(failed);
  if (failed) return "?";
  return Endpoint{peer.address().to_string(), peer.port()}.ToString();
}

TcpListener::TcpListener(asio::ip::tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {
  asio::ip::tcp::endpoint local = acceptor_.local_endpoint();
  endpoint_ = {local.address().to_string(), local.port()};
}

Task<Result<std::unique_ptr<Connection>>> TcpListener::Accept() {
  bool told = false;
  while (acceptor_.is_open()) {
    asio::ip::tcp::socket socket(acceptor_.get_executor());
    asio::error_code failed;
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, failed));
    if (!failed) {
      SetSocketOptions(socket);
      std::string peer = PeerName(socket);
      std::unique_ptr<Connection> connection = std::make_unique<TcpConnection>(std::move(socket), std::move(peer));
      co_return connection;
    }
    if (!IsShortage(failed)) continue;  // that connection is gone; or this listener is closed
    if (!std::exchange(told, true)) LogError("accepting on {}: {}", endpoint_.ToString(), failed.message());
    asio::steady_timer pause(acceptor_.get_executor(), kAcceptPause);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
  }
  co_return Error(ErrorCode::kCancelled, "no longer listening on " + endpoint_.ToString());
}

void TcpListener::Close() {
  asio::error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace gabion
