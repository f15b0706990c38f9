#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env/sim/sim_world.h"
#include "common/rpc/rpc_server.h"
#include "proto/common.pb.h"
#include "proto/data.pb.h"
#include "proto/meta.pb.h"

namespace gabion {

/// A server of a SimWorld whose answers a test writes down, and which notes what it was asked.
class FakeServer {
 public:
  using Answer = std::function<Result<RpcResponse>(const RpcRequest&)>;

  FakeServer(SimMachine& machine, std::uint16_t port, proto::Role role);

  /// Answers `method` with `function(Request) -> Result<Reply>`, from now on.
  template <typename Request, typename Reply>
  void On(proto::Method method, std::function<Result<Reply>(const Request&)> function) {
    answers_[method] = [function](const RpcRequest& raw) -> Result<RpcResponse> {
      Request request;
      if (!request.ParseFromString(raw.header)) return {ErrorCode::kProtocol, "does not parse"};
      Result<Reply> reply = function(request);
      if (!reply) return reply.error();
      return RpcResponse{reply->SerializeAsString(), {}};
    };
  }
  void OnRaw(proto::Method method, Answer answer) { answers_[method] = std::move(answer); }
  /// The next `count` requests of `method` fail, before anything is done.
  void FailNext(proto::Method method, ErrorCode code, unsigned count = 1) { failures_[method] = {code, count}; }
  /// Requests of `method` are done, but the connection breaks before the next `count` replies leave.
  void LoseNextReplies(proto::Method method, unsigned count = 1) { lost_replies_[method] = count; }

  std::size_t calls(proto::Method method) const {
    auto found = calls_.find(method);
    return found == calls_.end() ? 0 : found->second;
  }
  /// All methods in the order in which they were asked for, but renewals.
  const std::vector<proto::Method>& order() const { return order_; }
  void ForgetOrder() { order_.clear(); }

  void Start();
  Task<void> Stop() { return server_->Stop(); }

 private:
  static Task<Result<RpcResponse>> Serve(FakeServer* self, proto::Method method, RpcRequest request);

  SimMachine& machine_;
  const Endpoint endpoint_;
  std::unique_ptr<RpcServer> server_;
  std::map<proto::Method, Answer> answers_;
  std::map<proto::Method, std::pair<ErrorCode, unsigned>> failures_;
  std::map<proto::Method, unsigned> lost_replies_;
  std::map<proto::Method, std::size_t> calls_;
  std::vector<proto::Method> order_;
};

/// A metaserver with one file of which it knows size and chunks, enough for what goes beyond a single call. Sessions,
/// ids and the cluster map work; namespace ops are the test's to answer.
class FakeMetaserver : public FakeServer {
 public:
  static constexpr std::uint16_t kPort = 1000;

  explicit FakeMetaserver(SimMachine& machine);

  /// The map that clients get: `chunkservers` named chunk1 ..., one PG (id 1) with all in sync, chunk1 its primary.
  void SetCluster(unsigned chunkservers);
  proto::ClusterMap& map() { return map_; }

  proto::Attr attr;                                 // of the file
  std::map<std::uint64_t, proto::ChunkRef> chunks;  // its chunks by index
  std::vector<std::uint64_t> commit_ends;           // end_bytes of each CommitWrite
  std::uint32_t evictions = 3;                      // of the session
  std::uint64_t session_id = 7;                     // 0: the session that is there has expired
  std::uint64_t sessions_opened = 0;

 private:
  void AnswerSessions();
  void AnswerFile();

  proto::ClusterMap map_;
  std::uint64_t openings_ = 0;
  std::uint64_t next_id_ = 1000;
};

/// A chunkserver that keeps chunks in memory.
class FakeChunkserver : public FakeServer {
 public:
  static constexpr std::uint16_t kPort = 2000;

  explicit FakeChunkserver(SimMachine& machine);

  std::map<std::uint64_t, std::string> chunks;  // content by id
  std::set<std::uint64_t> spoilt;               // read with a wrong byte
  std::vector<std::uint32_t> write_sizes;
  std::vector<bool> write_syncs;
  std::pair<std::uint64_t, std::uint32_t> last_sender;  // of a write: the session, and its evictions
  std::uint32_t epoch = 1;                              // of requests that are taken

 private:
  Result<void> CheckTarget(const proto::ChunkTarget& target) const;
  Result<RpcResponse> Write(const RpcRequest& raw);
  Result<RpcResponse> Read(const RpcRequest& raw);
};

}  // namespace gabion
