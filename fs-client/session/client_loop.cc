#include "fs-client/session/client_loop.h"

namespace gabion {

ClientLoop::ClientLoop(Env& env, std::vector<Endpoint> metaservers, std::string host_id)
    : env_(env),
      metaservers_(std::move(metaservers)),
      host_id_(std::move(host_id)),
      meta_clients_(metaservers_.size()),
      urgent_clients_(metaservers_.size()) {}

std::unique_ptr<RpcClient> ClientLoop::Connect(const Endpoint& endpoint) {
  Identity identity;
  identity.role = proto::ROLE_CLIENT;
  identity.host_id = host_id_;
  return std::make_unique<RpcClient>(env_, endpoint, identity);
}

RpcClient& ClientLoop::Metaserver(std::size_t index) {
  std::unique_ptr<RpcClient>& client = meta_clients_.at(index);
  if (client == nullptr) client = Connect(metaservers_[index]);
  return *client;
}

RpcClient& ClientLoop::UrgentMetaserver(std::size_t index) {
  std::unique_ptr<RpcClient>& client = urgent_clients_.at(index);
  if (client == nullptr) client = Connect(metaservers_[index]);
  return *client;
}

RpcClient& ClientLoop::Chunkserver(ServerId server, const Endpoint& endpoint) {
  std::unique_ptr<RpcClient>& client = chunk_clients_[server];
  if (client != nullptr && client->endpoint() != endpoint) retired_.push_back(std::move(client));
  if (client == nullptr) client = Connect(endpoint);
  return *client;
}

Task<void> ClientLoop::HangUp(std::vector<ServerId> dead) {
  for (ServerId server : dead) {
    auto found = chunk_clients_.find(server);
    if (found == chunk_clients_.end()) continue;
    std::unique_ptr<RpcClient> client = std::move(found->second);
    chunk_clients_.erase(found);
    co_await client->Stop();
  }
}

/// Ends when there are none. A woken reader may set another alarm before it returns here.
Task<void> ClientLoop::RingAlarms() {
  while (!alarms_.empty()) {
    const TimePoint next = alarms_.front()->at_;
    co_await env_.clock.SleepUntil(next);
    while (!alarms_.empty() && alarms_.front()->at_ <= Now()) alarms_.front()->waiter_.Resume();
  }
  ringing_ = false;
}

void ClientLoop::Suspect(ServerId server) {
  suspects_[server] = Now() + kSuspicion;
}

void ClientLoop::Trust(ServerId server) {
  if (!suspects_.empty()) suspects_.erase(server);
}

bool ClientLoop::Suspected(ServerId server) const {
  if (suspects_.empty()) return false;
  auto found = suspects_.find(server);
  return found != suspects_.end() && Now() < found->second;
}

Task<void> ClientLoop::Stop() {
  for (auto* clients : {&meta_clients_, &urgent_clients_}) {
    for (auto& client : *clients) {
      if (client != nullptr) co_await client->Stop();
    }
  }
  for (auto& [server, client] : chunk_clients_) co_await client->Stop();
  for (auto& client : retired_) co_await client->Stop();
}

}  // namespace gabion
