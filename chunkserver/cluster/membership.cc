#include "chunkserver/cluster/membership.h"

#include <fmt/format.h>

#include "chunkserver/cluster/lease.h"

namespace gabion {

void Membership::Registered(ServerId self, std::string cluster_id) {
  std::lock_guard lock(mutex_);
  self_ = self;
  cluster_id_ = std::move(cluster_id);
}

void Membership::Adopt(MembershipViewPtr view) {
  std::lock_guard lock(mutex_);
  view_ = std::move(view);
}

void Membership::Renew(TimePoint sent_at, Duration lease) {
  lease_end_ns_.store(LeaseEnd(sent_at, lease).ns);
}

void Membership::Stop() {
  stopped_.store(true);
}

ServerId Membership::self() const {
  std::lock_guard lock(mutex_);
  return self_;
}

std::string Membership::cluster_id() const {
  std::lock_guard lock(mutex_);
  return cluster_id_;
}

MembershipViewPtr Membership::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

Result<void> Membership::CheckLease(TimePoint now) const {
  if (stopped_.load()) return Error(ErrorCode::kUnavailable, "this chunkserver is stopping");
  if (now.ns >= lease_end_ns_.load()) {
    return Error(ErrorCode::kUnavailable,
                 "this chunkserver has no lease from the metaserver and serves nothing until it reaches it");
  }
  return {};
}

Result<Membership::Serving> Membership::CheckRead(const proto::ChunkTarget& target, TimePoint now) const {
  TRY(CheckLease(now));
  if (target.chunk_id() == 0) return Error(ErrorCode::kInvalidArgument, "a data call that names no chunk");
  Serving serving;
  {
    std::lock_guard lock(mutex_);
    serving.view = view_;
    serving.self = self_;
  }
  serving.group = serving.view->FindGroup(PgId(target.pg_id()));
  if (serving.group == nullptr || serving.group->epoch.value() < target.epoch()) {
    on_outdated_();
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("this chunkserver does not know epoch {} of placement group {} yet", target.epoch(),
                             target.pg_id()));
  }
  if (serving.group->epoch.value() != target.epoch()) {
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("placement group {} has epoch {}, the call {}: fetch the cluster map", target.pg_id(),
                             serving.group->epoch.value(), target.epoch()));
  }
  if (!serving.group->HasInSync(serving.self)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("chunkserver {} has no copy of placement group {} that is in sync", serving.self.value(),
                             target.pg_id()));
  }
  return serving;
}

Result<Membership::Serving> Membership::CheckMutation(const proto::ChunkTarget& target, ServerId caller,
                                                      TimePoint now) const {
  TRY_ASSIGN(Serving serving, CheckRead(target, now));
  ServerId orders = target.replica() ? caller : serving.self;
  if (serving.group->primary != orders || (target.replica() && caller == serving.self)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("changes of placement group {} are for its primary, chunkserver {}, to order",
                             target.pg_id(), serving.group->primary.value()));
  }
  return serving;
}

}  // namespace gabion
