#include "common/env/sim/sim_network.h"

#include <algorithm>

#include "common/env/sim/sim_connection.h"
#include "common/env/sim/sim_transport.h"

namespace gabion {

SimNetwork::~SimNetwork() = default;

Duration SimNetwork::DrawDelay() {
  const auto mean = static_cast<std::uint64_t>(options_.delay_extra_mean.count());
  return options_.delay_min + Duration(static_cast<std::int64_t>(scheduler_.random().Exponential(mean)));
}

bool SimNetwork::Passes(std::string_view from, std::string_view to) const {
  return blocked_.empty() || !blocked_.contains(std::pair(std::string(from), std::string(to)));
}

void SimNetwork::Block(std::string from, std::string to) {
  scheduler_.Trace("block " + from + "->" + to);
  blocked_.emplace(std::move(from), std::move(to));
}

void SimNetwork::Unblock(std::string_view from, std::string_view to) {
  blocked_.erase(std::pair(std::string(from), std::string(to)));
  for (const auto& connection : Connections()) connection->Unblocked();
}

void SimNetwork::Cut(const std::string& a, const std::string& b) {
  Block(a, b);
  Block(b, a);
}

void SimNetwork::Mend(const std::string& a, const std::string& b) {
  Unblock(a, b);
  Unblock(b, a);
}

void SimNetwork::MendAll() {
  blocked_.clear();
  for (const auto& connection : Connections()) connection->Unblocked();
}

void SimNetwork::ResetConnections(std::string_view a, std::string_view b) {
  for (const auto& connection : Connections()) {
    const std::string& x = connection->life(0).machine;
    const std::string& y = connection->life(1).machine;
    if ((x == a && y == b) || (x == b && y == a)) connection->Reset();
  }
}

void SimNetwork::Strand(std::string_view from, std::string_view to, Duration late) {
  for (const auto& connection : Connections()) {
    for (int side : {0, 1}) {
      if (connection->life(side).machine == from && connection->life(1 - side).machine == to)
        connection->Strand(side, late);
    }
  }
}

std::shared_ptr<SimListenerState> SimNetwork::FindListener(const Endpoint& endpoint) const {
  const auto found = listeners_.find(endpoint);
  return found == listeners_.end() ? nullptr : found->second.lock();
}

void SimNetwork::AddListener(const Endpoint& endpoint, const std::shared_ptr<SimListenerState>& listener) {
  listeners_[endpoint] = listener;
}

void SimNetwork::RemoveListener(const Endpoint& endpoint) {
  listeners_.erase(endpoint);
}

std::uint16_t SimNetwork::FreePort(const std::string& machine) const {
  Endpoint endpoint{machine, 20000};
  while (FindListener(endpoint)) ++endpoint.port;
  return endpoint.port;
}

void SimNetwork::AddConnection(const std::shared_ptr<SimConnectionState>& connection) {
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  connections_.push_back(connection);
}

std::vector<std::shared_ptr<SimConnectionState>> SimNetwork::Connections() {
  std::vector<std::shared_ptr<SimConnectionState>> live;
  for (const auto& weak : connections_) {
    if (auto connection = weak.lock()) live.push_back(std::move(connection));
  }
  return live;
}

void SimNetwork::EndLife(const std::shared_ptr<SimLife>& life, bool power_loss) {
  const auto listeners = listeners_;
  for (const auto& [endpoint, weak] : listeners) {
    if (auto listener = weak.lock(); listener && &listener->life() == life.get()) listener->Close();
  }
  for (const auto& connection : Connections()) {
    for (int side : {0, 1}) {
      if (&connection->life(side) != life.get()) continue;
      power_loss ? connection->Vanish(side) : connection->Close(side);
    }
  }
}

void SimNetwork::DropWaiters() {
  for (const auto& connection : Connections()) connection->DropWaiters();
  const auto listeners = listeners_;
  for (const auto& [endpoint, weak] : listeners) {
    if (auto listener = weak.lock()) listener->DropWaiter();
  }
}

}  // namespace gabion
