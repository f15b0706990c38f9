#include "metaserver/server.h"

#include "common/base/log.h"
#include "metaserver/background/duties.h"
#include "metaserver/check/chunkserver_calls.h"
#include "metaserver/service.h"

namespace gabion {

class MetaServer::Impl {
 public:
  Impl(std::vector<Env*> loops, KvStore& store, MetaServerOptions options)
      : options_(std::move(options)),
        env_(*loops.front()),
        cluster_(store, {options_.server_lease, options_.down_out, options_.pgs_per_policy, options_.boot_id}),
        volumes_(store, cluster_, options_.session_ttl),
        sessions_(volumes_, cluster_, options_),
        leases_(volumes_),
        admin_(volumes_, cluster_, options_, env_.clock.Now()),
        clients_(volumes_, options_),
        duties_(env_, store, volumes_, cluster_, options_),
        chunkserver_calls_(env_, options_.host_id),
        checks_({env_, store, volumes_, cluster_, chunkserver_calls_, {}}),
        rpc_(std::move(loops), Identity{proto::ROLE_METASERVER, options_.host_id, 0}) {}

  Task<Result<void>> Start() {
    Result<void> loaded = co_await cluster_.Load(env_);
    CO_TRY(loaded);
    loaded = co_await volumes_.Load(env_);
    CO_TRY(loaded);
    RegisterMethods(rpc_, {volumes_, cluster_, sessions_, leases_, admin_, clients_, checks_});
    CO_TRY(rpc_.Start(options_.listen));
    duties_.Start();
    LogInfo("metaserver of cluster {} listens on {}", cluster_.cluster_id(), rpc_.endpoint().ToString());
    co_return Result<void>();
  }

  Task<void> Stop() {
    for (const std::shared_ptr<Volume>& volume : volumes_.List()) volume->CloseLeases();
    cluster_.Close();
    co_await rpc_.Stop();
    co_await checks_.Stop();
    co_await duties_.Stop();
    Result<void> ended = co_await cluster_.EndCleanly();
    if (!ended) LogWarning("the metadata store was not closed cleanly: {}", ended.error().ToString());
  }

  Endpoint endpoint() const { return rpc_.endpoint(); }

 private:
  const MetaServerOptions options_;
  Env& env_;  // of the first loop
  Cluster cluster_;
  VolumeTable volumes_;
  SessionOps sessions_;
  LeaseOps leases_;
  AdminOps admin_;
  ClientOps clients_;
  Duties duties_;
  ChunkserverCalls chunkserver_calls_;
  Checks checks_;
  RpcServer rpc_;
};

MetaServer::MetaServer(std::vector<Env*> loops, KvStore& store, MetaServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(loops), store, std::move(options))) {}
MetaServer::~MetaServer() = default;

Task<Result<void>> MetaServer::Start() {
  return impl_->Start();
}
Task<void> MetaServer::Stop() {
  return impl_->Stop();
}
Endpoint MetaServer::endpoint() const {
  return impl_->endpoint();
}

}  // namespace gabion
