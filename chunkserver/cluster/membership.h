#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "chunkserver/cluster/membership_view.h"
#include "common/env/clock.h"
#include "proto/data.pb.h"

namespace gabion {

/// This server's place in the cluster: its id, its lease, and the newest map it has. Decides whether a data call may be
/// served (DESIGN 5.2). Any loop.
class Membership {
 public:
  /// A placement group that this server may serve now.
  struct Serving {
    MembershipViewPtr view;
    const MembershipView::Group* group = nullptr;  // in `view`
    ServerId self;
  };

  /// `on_outdated` is called, on any loop, when a caller knows a newer map than this server: fetch it.
  explicit Membership(std::function<void()> on_outdated) : on_outdated_(std::move(on_outdated)) {}

  void Registered(ServerId self, std::string cluster_id);
  void Adopt(MembershipViewPtr view);
  /// The lease was renewed by a request sent at `sent_at`.
  void Renew(TimePoint sent_at, Duration lease);
  /// There is no lease from now on.
  void GiveUpLease();
  /// From now on nothing is served.
  void Stop();

  ServerId self() const;
  std::string cluster_id() const;
  MembershipViewPtr view() const;

  /// Errors: kUnavailable: not registered, no valid lease, or stopping.
  Result<void> CheckLease(TimePoint now) const;
  /// Lease and epoch. Errors: as CheckLease; kStaleEpoch.
  Result<Serving> CheckGroup(PgId pg, Epoch epoch, TimePoint now) const;
  /// For reads: also that this server's copy is in sync. Errors: as CheckGroup; kInvalidArgument.
  Result<Serving> CheckRead(const proto::ChunkTarget& target, TimePoint now) const;
  /// For mutations: that this server is the primary, or that the primary, `caller`, passes it on.
  Result<Serving> CheckMutation(const proto::ChunkTarget& target, ServerId caller, TimePoint now) const;
  /// For what a primary asks of members, in sync or joining: that `caller` is it. Errors: as CheckGroup;
  /// kInvalidArgument.
  Result<Serving> CheckAsked(PgId pg, Epoch epoch, ServerId caller, TimePoint now) const;

 private:
  std::function<void()> on_outdated_;
  std::atomic<std::int64_t> lease_end_ns_{INT64_MIN};
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;
  ServerId self_;
  std::string cluster_id_;
  MembershipViewPtr view_ = std::make_shared<MembershipView>();
};

}  // namespace gabion
