#pragma once

#include <string>

#include "proto/meta.pb.h"
#include "tests/sim/sim_cluster.h"

namespace gabion {

/// A session spoken by hand from the test's machine: each request is sent once, under the number the test chooses. For
/// what a client does only when a connection breaks at the worst moment.
class BareSession {
 public:
  explicit BareSession(SimCluster& cluster) : cluster_(cluster) {
    proto::OpenSessionRequest request;
    request.set_volume(SimCluster::kVolume);
    const Result<proto::OpenSessionReply> reply =
        cluster_.Do(cluster_.CallMeta<proto::OpenSessionReply>(proto::METHOD_OPEN_SESSION, std::move(request)));
    CHECK(reply.has_value());
    session_ = *reply;
    next_ino_ = session_.inos().first();
  }

  const proto::OpenSessionReply& session() const { return session_; }

  template <typename Request>
  Request WithOp(Request request, std::uint64_t seq) const {
    request.mutable_op()->set_volume_id(session_.volume_id());
    request.mutable_op()->set_session_id(session_.session_id());
    request.mutable_op()->set_seq(seq);
    return request;
  }
  /// In the root; with a handle if `handle` is not 0.
  proto::CreateRequest CreateRequest(std::string name, std::uint64_t seq, std::uint64_t handle = 0) {
    proto::CreateRequest request;
    request.set_parent(kRootIno.value());
    request.set_name(std::move(name));
    request.set_mode(0100644);
    request.set_ino(next_ino_++);
    request.set_exclusive(true);
    request.set_handle_id(handle);
    return WithOp(std::move(request), seq);
  }
  template <typename Reply, typename Request>
  Task<Result<Reply>> Send(proto::Method method, Request request) {
    return cluster_.CallMeta<Reply>(method, std::move(request));
  }
  /// Resumes the session with these files open.
  Task<Result<proto::OpenSessionReply>> Resume(std::vector<proto::OpenHandle> handles) {
    proto::OpenSessionRequest request;
    request.set_volume(SimCluster::kVolume);
    request.set_session_id(session_.session_id());
    for (proto::OpenHandle& handle : handles) *request.add_reclaim() = std::move(handle);
    return cluster_.CallMeta<proto::OpenSessionReply>(proto::METHOD_OPEN_SESSION, std::move(request));
  }

 private:
  SimCluster& cluster_;
  proto::OpenSessionReply session_;
  std::uint64_t next_ino_ = 0;
};

}  // namespace gabion
