#pragma once

#include "metaserver/volume/volume_table.h"
#include "proto/meta.pb.h"

namespace gabion {

/// The calls by which leases come back (docs/leases.md). Any loop.
class LeaseOps {
 public:
  explicit LeaseOps(VolumeTable& volumes) : volumes_(volumes) {}

  /// Answers when the session has recalls or granted locks that it was not told of, or after kLongestWait, or when a
  /// later call of the session takes its place. Errors: kSessionExpired.
  Task<Result<proto::WaitRecallsReply>> WaitRecalls(proto::WaitRecallsRequest request, Env& env);
  /// Repeatable. Errors: kSessionExpired.
  Result<proto::ReturnLeasesReply> ReturnLeases(const proto::ReturnLeasesRequest& request);

 private:
  /// Well below the client's deadline, and often enough to notice that it has gone.
  static constexpr Duration kLongestWait = std::chrono::seconds(5);

  VolumeTable& volumes_;
};

}  // namespace gabion
