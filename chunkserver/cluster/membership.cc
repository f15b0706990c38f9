#include "chunkserver/cluster/membership.h"

#include <fmt/format.h>

#include "common/env/lease.h"
#include "common/env/mutate.h"

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

void Membership::GiveUpLease() {
  lease_end_ns_.store(INT64_MIN);
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
  if (now.ns >= lease_end_ns_.load() && !Mutated("chunk.no_lease")) {
    return Error(ErrorCode::kUnavailable,
                 "this chunkserver has no lease from the metaserver and serves nothing until it reaches it");
  }
  return {};
}

Result<Membership::Serving> Membership::CheckGroup(PgId pg, Epoch epoch, TimePoint now) const {
  TRY(CheckLease(now));
  Serving serving;
  {
    std::lock_guard lock(mutex_);
    serving.view = view_;
    serving.self = self_;
  }
  serving.group = serving.view->FindGroup(pg);
  if (serving.group == nullptr || serving.group->epoch < epoch) {
    on_outdated_();
    return Error(
        ErrorCode::kStaleEpoch,
        fmt::format("this chunkserver does not know epoch {} of placement group {} yet", epoch.value(), pg.value()));
  }
  if (serving.group->epoch != epoch && !Mutated("chunk.any_epoch")) {
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("placement group {} has epoch {}, the call {}: fetch the cluster map", pg.value(),
                             serving.group->epoch.value(), epoch.value()));
  }
  return serving;
}

Result<Membership::Serving> Membership::CheckRead(const proto::ChunkTarget& target, TimePoint now) const {
  if (target.chunk_id() == 0) return Error(ErrorCode::kInvalidArgument, "a data call that names no chunk");
  TRY_ASSIGN(Serving serving, CheckGroup(PgId(target.pg_id()), Epoch(target.epoch()), now));
  if (!serving.group->HasInSync(serving.self)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("chunkserver {} has no copy of placement group {} that is in sync", serving.self.value(),
                             target.pg_id()));
  }
  return serving;
}

Result<Membership::Serving> Membership::CheckMutation(const proto::ChunkTarget& target, ServerId caller,
                                                      TimePoint now) const {
  if (target.replica()) {
    if (target.chunk_id() == 0) return Error(ErrorCode::kInvalidArgument, "a data call that names no chunk");
    return CheckAsked(PgId(target.pg_id()), Epoch(target.epoch()), caller, now);
  }
  TRY_ASSIGN(Serving serving, CheckRead(target, now));
  if (serving.group->primary != serving.self) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("changes of placement group {} are for its primary, chunkserver {}, to order",
                             target.pg_id(), serving.group->primary.value()));
  }
  return serving;
}

Result<Membership::Serving> Membership::CheckAsked(PgId pg, Epoch epoch, ServerId caller, TimePoint now) const {
  TRY_ASSIGN(Serving serving, CheckGroup(pg, epoch, now));
  const MembershipView::Group& group = *serving.group;
  if (!caller || caller != group.primary || caller == serving.self) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("members of placement group {} do what its primary asks, chunkserver {}, and no other",
                             pg.value(), group.primary.value()));
  }
  if (!group.HasInSync(serving.self) && !group.HasJoining(serving.self)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("chunkserver {} is no member of placement group {}", serving.self.value(), pg.value()));
  }
  return serving;
}

}  // namespace gabion
