#pragma once

#include "metaserver/server.h"
#include "metaserver/volume/volume_table.h"
#include "proto/admin.pb.h"

namespace gabion {

/// The administrator's requests about clients, which are sessions here. Any loop.
class ClientOps {
 public:
  static constexpr std::uint32_t kMaxClientsPerReply = 1000;
  static constexpr std::size_t kMaxRecallsShown = 20;

  ClientOps(VolumeTable& volumes, const MetaServerOptions& options) : volumes_(volumes), options_(options) {}

  /// Errors: kNotFound (volume).
  Result<proto::ClientListReply> List(const proto::ClientListRequest& request, Env& env);
  /// Errors: kNotFound.
  Result<proto::ClientShowReply> Show(const proto::ClientShowRequest& request, Env& env);
  /// Errors: kNotFound, those of Volume::RequestEviction.
  Task<Result<proto::ClientEvictReply>> Evict(proto::ClientEvictRequest request, Env& env);

 private:
  proto::ClientEntry EntryOf(const VolumeState& state, const Session& session, TimePoint now) const;
  /// The volume's session. Errors: kNotFound.
  Result<std::shared_ptr<Volume>> VolumeOf(SessionId session) const;

  VolumeTable& volumes_;
  const MetaServerOptions& options_;
};

}  // namespace gabion
