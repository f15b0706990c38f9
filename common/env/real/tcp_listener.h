#pragma once

#include <asio/ip/tcp.hpp>

#include "common/env/transport.h"

namespace gabion {

/// What every connected socket gets: no Nagle delay, and notice of peers that vanished.
void SetSocketOptions(asio::ip::tcp::socket& socket);

/// The peer's address as text, "?" if the connection is gone already.
std::string PeerName(const asio::ip::tcp::socket& socket);

class TcpListener final : public Listener {
 public:
  explicit TcpListener(asio::ip::tcp::acceptor acceptor);

  Task<Result<std::unique_ptr<Connection>>> Accept() override;
  void Close() override;
  Endpoint endpoint() const override { return endpoint_; }

 private:
  asio::ip::tcp::acceptor acceptor_;
  Endpoint endpoint_;
};

}  // namespace gabion
