#include "tests/sim/fault/fault_scene.h"

#include <algorithm>

namespace gabion {

std::string FaultScene::AnyServer() {
  const std::vector<std::string>& servers = cluster_.chunkservers();
  const std::uint64_t index = random_.Below(servers.size() + 1);
  return index == servers.size() ? "meta" : servers[index];
}

Task<void> FaultScene::Sleep(Duration longest) {
  const std::uint64_t scale = random_.Below(4);
  std::uint64_t limit = static_cast<std::uint64_t>(longest.count());
  for (std::uint64_t i = 0; i < scale; ++i) limit /= 10;
  const Duration drawn(static_cast<std::int64_t>(random_.Below(limit + 1)));
  return clock().SleepFor(drawn);
}

FaultScene::Lack FaultScene::Standstill(const std::string& machine) {
  workload_.MayLapse(machine);
  return Lack([this, machine] { workload_.IsBack(machine); });
}

/// Sessions are a matter between clients and the metaserver.
FaultScene::Lack FaultScene::Silence(const std::string& from, const std::string& to) {
  const std::vector<std::string>& clients = cluster_.clients();
  const auto is_client = [&](const std::string& name) {
    return std::find(clients.begin(), clients.end(), name) != clients.end();
  };
  if (from == "meta" && is_client(to)) return Standstill(to);
  if (to == "meta" && is_client(from)) return Standstill(from);
  return {};
}

FaultScene::Lack FaultScene::NoSpace() {
  workload_.MayLackSpace();
  return Lack([this] { workload_.SpaceIsBack(); });
}

FaultScene::Hold FaultScene::TryHold(std::string what) {
  if (held_.contains(kAlone) || !held_.insert(what).second) return {};
  return {this, std::move(what)};
}

FaultScene::Hold FaultScene::TryHoldAlone() {
  if (!held_.empty()) return {};
  held_.insert(kAlone);
  return {this, kAlone};
}

Task<bool> FaultScene::IsHealthy() {
  const Result<proto::AdminStatusReply> status = co_await cluster_.Status();
  if (!status) co_return false;
  co_return status->pgs_healthy() == status->pgs() &&
      std::all_of(status->servers().begin(), status->servers().end(), [](const auto& one) { return one.alive(); });
}

Task<void> FaultScene::AwaitHealthy() {
  // A server that has just come back still counts as what it was before, until its old lease has run out.
  constexpr Duration kLease = std::chrono::seconds(6);
  co_await clock().SleepFor(kLease);
  bool healthy = false;
  while (!healthy) {
    co_await clock().SleepFor(std::chrono::milliseconds(200));
    healthy = co_await IsHealthy();
  }
}

}  // namespace gabion
