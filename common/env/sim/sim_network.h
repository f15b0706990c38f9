#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/env/sim/sim_life.h"
#include "common/env/sim/sim_scheduler.h"
#include "common/env/transport.h"

namespace gabion {

struct SimNetworkOptions {
  Duration delay_min = std::chrono::microseconds(20);
  Duration delay_extra_mean = std::chrono::microseconds(80);  // exponential
  std::uint64_t bytes_per_second = 1'000'000'000;
  std::size_t window_bytes = 16ull << 20;                // sent and not yet received; a sender waits beyond it
  Duration dead_peer_timeout = std::chrono::seconds(5);  // until a host that lost power is noticed by who only listens
  Duration stalled_send_timeout = std::chrono::seconds(15);  // until a connection that cannot deliver is given up
};

class SimConnectionState;
class SimListenerState;

/// The wires between machines, which are known by name. Frames of one connection arrive in order, those of different
/// connections in any; what cannot pass waits, as TCP would retransmit it, and goes on when the wire is whole again.
class SimNetwork {
 public:
  explicit SimNetwork(SimScheduler& scheduler) : scheduler_(scheduler) {}
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  SimNetworkOptions& options() { return options_; }
  SimScheduler& scheduler() { return scheduler_; }

  /// Nothing passes from one machine to the other until Unblock.
  void Block(std::string from, std::string to);
  void Unblock(std::string_view from, std::string_view to);
  /// Both ways.
  void Cut(const std::string& a, const std::string& b);
  void Mend(const std::string& a, const std::string& b);
  /// Everything passes again.
  void MendAll();
  /// Resets every connection between the two; what is under way is lost. New ones can be made.
  void ResetConnections(std::string_view a, std::string_view b);
  /// `from` gives up its connections to the other, as a kernel does that gets no answer; what it has sent on them is
  /// still under way, and arrives at least that much later. New connections can be made meanwhile.
  void Strand(std::string_view from, std::string_view to, Duration late);

  // For SimMachine and SimTransport.

  void AddMachine(std::string name) { machines_.insert(std::move(name)); }
  bool HasMachine(std::string_view name) const { return machines_.contains(name); }
  bool Passes(std::string_view from, std::string_view to) const;
  Duration DrawDelay();
  /// The listener at `endpoint`, or null.
  std::shared_ptr<SimListenerState> FindListener(const Endpoint& endpoint) const;
  void AddListener(const Endpoint& endpoint, const std::shared_ptr<SimListenerState>& listener);
  void RemoveListener(const Endpoint& endpoint);
  std::uint16_t FreePort(const std::string& machine) const;
  void AddConnection(const std::shared_ptr<SimConnectionState>& connection);
  /// The process of `life` is gone. Peers of its connections learn of a kill as of a close, of a power loss late.
  void EndLife(const std::shared_ptr<SimLife>& life, bool power_loss);
  /// The end of the world: destroys the coroutines that wait for a frame or a connection.
  void DropWaiters();

 private:
  std::vector<std::shared_ptr<SimConnectionState>> Connections();

  SimScheduler& scheduler_;
  SimNetworkOptions options_;
  std::set<std::string, std::less<>> machines_;
  std::set<std::pair<std::string, std::string>, std::less<>> blocked_;
  std::map<Endpoint, std::weak_ptr<SimListenerState>> listeners_;
  std::vector<std::weak_ptr<SimConnectionState>> connections_;  // in the order they were made
};

}  // namespace gabion
