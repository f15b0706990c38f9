#include "common/env/real/tcp_transport.h"

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "common/env/real/tcp_connection.h"
#include "common/env/real/tcp_listener.h"

namespace gabion {
namespace {

using Tcp = asio::ip::tcp;

constexpr int kListenBacklog = 1024;

/// Shared with the timer that ends it.
struct Attempt {
  explicit Attempt(const Executor& executor) : socket(executor), resolver(executor), timer(executor) {}

  Tcp::socket socket;
  Tcp::resolver resolver;
  asio::steady_timer timer;
  bool expired = false;
};

void ExpireAt(const std::shared_ptr<Attempt>& attempt, TimePoint deadline) {
  attempt->timer.expires_at(std::chrono::steady_clock::time_point(Duration(deadline.ns)));
  attempt->timer.async_wait([attempt](const asio::error_code& cancelled) {
    if (cancelled) return;
    attempt->expired = true;
    attempt->resolver.cancel();
    asio::error_code ignored;
    attempt->socket.close(ignored);
  });
}

Task<std::vector<Tcp::endpoint>> Resolve(std::shared_ptr<Attempt> attempt, Endpoint endpoint,
                                         asio::error_code& failed) {
  std::vector<Tcp::endpoint> addresses;
  asio::error_code no_address;
  asio::ip::address address = asio::ip::make_address(endpoint.host, no_address);
  if (!no_address) {
    addresses.emplace_back(address, endpoint.port);
    co_return addresses;
  }
  std::string port = std::to_string(endpoint.port);
  Tcp::resolver::results_type found = co_await attempt->resolver.async_resolve(
      endpoint.host, port, Tcp::resolver::numeric_service, asio::redirect_error(asio::use_awaitable, failed));
  for (const auto& entry : found) addresses.push_back(entry.endpoint());
  co_return addresses;
}

Error ConnectError(const Endpoint& endpoint, const Attempt& attempt, const asio::error_code& failed) {
  std::string doing = "connecting to " + endpoint.ToString();
  if (attempt.expired) return {ErrorCode::kDeadlineExceeded, doing + ": no answer in time"};
  return {ErrorCode::kUnavailable, doing + ": " + failed.message()};
}

Result<Tcp::endpoint> LocalAddress(const Executor& executor, const Endpoint& endpoint) {
  asio::error_code failed;
  asio::ip::address address = asio::ip::make_address(endpoint.host, failed);
  if (!failed) return Tcp::endpoint(address, endpoint.port);
  Tcp::resolver resolver(executor);
  auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port), Tcp::resolver::numeric_service, failed);
  if (failed || found.empty()) {
    return {ErrorCode::kInvalidArgument, "listening on " + endpoint.ToString() + ": " + failed.message()};
  }
  return found.begin()->endpoint();
}

}  // namespace

Task<Result<std::unique_ptr<Connection>>> TcpTransport::Connect(Endpoint endpoint, TimePoint deadline) {
  auto attempt = std::make_shared<Attempt>(executor_);
  ExpireAt(attempt, deadline);
  asio::error_code failed;
  std::vector<Tcp::endpoint> addresses = co_await Resolve(attempt, endpoint, failed);
  if (!failed && addresses.empty()) failed = asio::error::host_not_found;
  if (!failed && !attempt->expired) {
    co_await asio::async_connect(attempt->socket, addresses, asio::redirect_error(asio::use_awaitable, failed));
  }
  attempt->timer.cancel();
  if (failed || attempt->expired) co_return ConnectError(endpoint, *attempt, failed);

  SetSocketOptions(attempt->socket);
  // Connecting to a free port of one's own range can meet itself: TCP allows that, we do not.
  asio::error_code gone;
  if (attempt->socket.local_endpoint(gone) == attempt->socket.remote_endpoint(gone)) {
    co_return ConnectError(endpoint, *attempt, asio::error::connection_refused);
  }
  std::unique_ptr<Connection> connection =
      std::make_unique<TcpConnection>(std::move(attempt->socket), endpoint.ToString());
  co_return connection;
}

Result<std::unique_ptr<Listener>> TcpTransport::Listen(Endpoint endpoint) {
  TRY_ASSIGN(Tcp::endpoint address, LocalAddress(executor_, endpoint));
  Tcp::acceptor acceptor(executor_);
  asio::error_code failed;
  acceptor.open(address.protocol(), failed);
  if (!failed) acceptor.set_option(Tcp::acceptor::reuse_address(true), failed);
  if (!failed) acceptor.bind(address, failed);
  if (!failed) acceptor.listen(kListenBacklog, failed);
  if (failed) {
    ErrorCode code = failed == asio::error::address_in_use ? ErrorCode::kBusy : ErrorCode::kInvalidArgument;
    return {code, "listening on " + endpoint.ToString() + ": " + failed.message()};
  }
  std::unique_ptr<Listener> listener = std::make_unique<TcpListener>(std::move(acceptor));
  return listener;
}

}  // namespace gabion
