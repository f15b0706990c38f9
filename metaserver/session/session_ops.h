#pragma once

#include "metaserver/server.h"
#include "metaserver/volume/volume_table.h"
#include "proto/meta.pb.h"

namespace gabion {

/// Opening, renewing and ending sessions (DESIGN 4.3). Any loop.
///
/// Persistent are the session and the ids delegated to it. Its open files are not: a client that resumes after a
/// restart of this server names them again, and until every session has, nothing that lost its last name is removed.
class SessionOps {
 public:
  SessionOps(VolumeTable& volumes, Cluster& cluster, const MetaServerOptions& options)
      : volumes_(volumes), cluster_(cluster), options_(options) {}

  /// A new session, or an old one resumed. Errors: kNotFound (volume or subdir), kNotDirectory, kSessionExpired (to
  /// resume), kInvalidArgument, kOverloaded, kUnavailable.
  Task<Result<proto::OpenSessionReply>> Open(proto::OpenSessionRequest request, Env& env);
  /// Errors: kSessionExpired.
  Task<Result<proto::RenewSessionReply>> Renew(proto::RenewSessionRequest request, Env& env);
  /// Repeatable.
  Task<Result<proto::CloseSessionReply>> Close(proto::CloseSessionRequest request, Env& env);
  /// Errors: kSessionExpired, kUnavailable.
  Task<Result<proto::DelegateIdsReply>> DelegateIds(proto::DelegateIdsRequest request, Env& env);

 private:
  void RenewOn(VolumeState& state, Session& session, TimePoint now, proto::RenewSessionReply& reply) const;
  Task<Result<proto::OpenSessionReply>> OpenNew(std::shared_ptr<Volume> volume, proto::OpenSessionRequest request,
                                                Env& env);
  Task<Result<proto::OpenSessionReply>> Resume(std::shared_ptr<Volume> volume, proto::OpenSessionRequest request,
                                               Env& env);
  /// Adds what every session is told. Errors: kUnavailable.
  Task<Result<proto::OpenSessionReply>> Complete(const Volume& volume, proto::OpenSessionReply reply);

  VolumeTable& volumes_;
  Cluster& cluster_;
  const MetaServerOptions& options_;
};

/// Ends a session, closed or expired: its handles are gone at once, its stored replies go in the background. Harmless
/// if it is unknown. Errors: those of Volume::Run.
Task<Result<void>> EndSession(std::shared_ptr<Volume> volume, SessionId id, Env& env);

}  // namespace gabion
