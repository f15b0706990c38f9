#pragma once

#include "common/env/transport.h"

namespace gabion {

/// Frames over TCP, for one event loop. Hosts are addresses or names; names are looked up by the system's resolver, off
/// the loop's thread in Connect, on the caller's in Listen (start-up).
///
/// A peer whose machine vanished is noticed after about 20 s, by keep-alive probes or unacknowledged data.
class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(Executor executor) : executor_(std::move(executor)) {}

  Task<Result<std::unique_ptr<Connection>>> Connect(Endpoint endpoint, TimePoint deadline) override;
  Result<std::unique_ptr<Listener>> Listen(Endpoint endpoint) override;

 private:
  Executor executor_;
};

}  // namespace gabion
