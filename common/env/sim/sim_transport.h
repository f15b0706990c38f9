#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "common/env/sim/sim_connection.h"
#include "common/env/sim/sim_network.h"

namespace gabion {

/// A listening port with the connections nobody accepted yet.
class SimListenerState : public std::enable_shared_from_this<SimListenerState> {
 public:
  static constexpr std::size_t kBacklog = 1024;

  SimListenerState(SimNetwork& network, std::shared_ptr<SimLife> life, Endpoint endpoint)
      : network_(network), life_(std::move(life)), endpoint_(std::move(endpoint)) {}

  const SimLife& life() const { return *life_; }
  const std::shared_ptr<SimLife>& shared_life() const { return life_; }
  const Endpoint& endpoint() const { return endpoint_; }

  /// False if the backlog is full.
  bool Offer(std::unique_ptr<Connection> connection);
  Task<Result<std::unique_ptr<Connection>>> Accept();
  void Close();
  void DropWaiter() { const auto acceptor = std::exchange(acceptor_, nullptr); }

 private:
  SimNetwork& network_;
  std::shared_ptr<SimLife> life_;
  Endpoint endpoint_;
  bool closed_ = false;
  std::deque<std::unique_ptr<Connection>> backlog_;
  std::function<void()> acceptor_;
};

/// A process's access to the network. Hosts are names of machines; "127.0.0.1", "localhost" and "0.0.0.0" are the own
/// one.
class SimTransport final : public Transport {
 public:
  /// `clock` is the machine's, by which deadlines are measured.
  SimTransport(SimNetwork& network, std::shared_ptr<SimLife> life, const Clock& clock)
      : network_(network), life_(std::move(life)), clock_(clock) {}

  Task<Result<std::unique_ptr<Connection>>> Connect(Endpoint endpoint, TimePoint deadline) override;
  Result<std::unique_ptr<Listener>> Listen(Endpoint endpoint) override;

 private:
  std::string Resolve(const std::string& host) const;

  SimNetwork& network_;
  std::shared_ptr<SimLife> life_;
  const Clock& clock_;
};

}  // namespace gabion
