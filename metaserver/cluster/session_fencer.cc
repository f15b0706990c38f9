#include "metaserver/cluster/session_fencer.h"

#include <utility>

namespace gabion {

void SessionFencer::Begin(SessionId session, std::uint32_t evictions, std::set<ServerId> alive) {
  fences_[session] = {evictions, std::move(alive)};
}

bool SessionFencer::IsDone(SessionId session) const {
  auto fence = fences_.find(session);
  return fence == fences_.end() || fence->second.awaited.empty();
}

std::set<ServerId> SessionFencer::Awaited(SessionId session) const {
  auto fence = fences_.find(session);
  return fence == fences_.end() ? std::set<ServerId>() : fence->second.awaited;
}

void SessionFencer::Departed(ServerId server) {
  for (auto& [session, fence] : fences_) fence.awaited.erase(server);
}

void SessionFencer::Confirmed(ServerId server, const google::protobuf::RepeatedPtrField<proto::SessionFence>& fenced) {
  for (const proto::SessionFence& said : fenced) {
    auto fence = fences_.find(SessionId(said.session_id()));
    if (fence != fences_.end() && said.evictions() >= fence->second.evictions) fence->second.awaited.erase(server);
  }
}

void SessionFencer::Ask(ServerId server, google::protobuf::RepeatedPtrField<proto::SessionFence>& fences) const {
  for (const auto& [session, fence] : fences_) {
    if (!fence.awaited.contains(server)) continue;
    proto::SessionFence& wanted = *fences.Add();
    wanted.set_session_id(session.value());
    wanted.set_evictions(fence.evictions);
  }
}

}  // namespace gabion
