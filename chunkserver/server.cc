#include "chunkserver/server.h"

#include <asio/co_spawn.hpp>

#include "chunkserver/cluster/registration.h"
#include "chunkserver/pg/leftovers.h"
#include "chunkserver/pg/member_ops.h"
#include "chunkserver/pg/pg_duties.h"
#include "chunkserver/pg/scrubber.h"
#include "chunkserver/replication/data_ops.h"
#include "common/base/log.h"
#include "common/rpc/rpc_server.h"

namespace gabion {
namespace {

StoreOptions OptionsOf(const ChunkServerOptions& options) {
  StoreOptions store_options;
  store_options.slab_bytes = options.slab_bytes;
  return store_options;
}

}  // namespace

class ChunkServer::Impl {
 public:
  Impl(std::vector<Env*> loops, std::vector<DiskSeat> seats, ChunkServerOptions options, std::vector<LostSeat> lost)
      : options_(std::move(options)),
        env_(*loops.front()),
        membership_([this] { registration_.Hurry(); }),
        stores_(env_, std::move(seats), std::move(lost), OptionsOf(options_)),
        peers_(loops, options_.host_id, membership_),
        pgs_([this](PgId pg) { duties_.Restart(pg); }),
        suspects_([this] { scrubber_.Wake(); }),
        context_{membership_, stores_, peers_, fences_,   pgs_,           joiners_,
                 admission_,  order_,  tasks_, suspects_, session_fences_},
        duties_(context_, env_),
        scrubber_(context_, env_, options_.scrub_interval),
        leftovers_(context_, env_),
        garbage_(env_, stores_),
        registration_(env_, options_, context_, garbage_, duties_, scrubber_, leftovers_,
                      [this] { return rpc_.HangUp(proto::ROLE_CLIENT); }),
        rpc_(std::move(loops), Identity{proto::ROLE_CHUNKSERVER, options_.host_id, 0}) {
    RegisterDataOps(rpc_, context_);
    RegisterMemberOps(rpc_, context_);
  }

  Task<Result<void>> Start() {
    StoreHistory history;
    history.had_data = !options_.cluster_id.empty();
    history.give_up_missing = options_.give_up_missing_stores;
    history.forget_missing = options_.forget_missing_stores;
    Result<void> opened = co_await stores_.Open(history);
    CO_TRY(opened);
    fences_.Start(options_.starts);
    CO_TRY(rpc_.Start(options_.listen));
    LogInfo("chunkserver listens on {}", rpc_.endpoint().ToString());
    duties_.Start();
    scrubber_.Start();
    leftovers_.Start();
    registration_.Start(rpc_.endpoint());
    co_return Result<void>();
  }

  Task<void> Stop() {
    // What clients and peers ask from now on is refused; then what runs is not kept waiting by others.
    membership_.Stop();
    Task<void> leave = registration_.Stop();
    co_await asio::co_spawn(env_.executor, std::move(leave), asio::use_awaitable);
    co_await peers_.Stop();
    Task<void> scrub = scrubber_.Stop();
    co_await asio::co_spawn(env_.executor, std::move(scrub), asio::use_awaitable);
    Task<void> removals = leftovers_.Stop();
    co_await asio::co_spawn(env_.executor, std::move(removals), asio::use_awaitable);
    Task<void> rest = duties_.Stop();
    co_await asio::co_spawn(env_.executor, std::move(rest), asio::use_awaitable);
    co_await rpc_.Stop();
    co_await tasks_.Join();
    co_await garbage_.Stop();
    co_await stores_.Stop();
  }

  Endpoint endpoint() const { return rpc_.endpoint(); }
  std::string cluster_id() const { return membership_.cluster_id(); }

 private:
  const ChunkServerOptions options_;
  Env& env_;  // of the first loop: registration, upkeep
  Membership membership_;
  StoreSet stores_;
  Peers peers_;
  Fences fences_;
  Admission admission_;
  RangeLocks order_;
  SessionFences session_fences_;
  TaskGroup tasks_;
  PgTable pgs_;
  Joiners joiners_;
  ScrubQueue suspects_;
  DataContext context_;
  PgDuties duties_;
  Scrubber scrubber_;
  Leftovers leftovers_;
  Garbage garbage_;
  Registration registration_;
  RpcServer rpc_;
};

ChunkServer::ChunkServer(std::vector<Env*> loops, std::vector<DiskSeat> seats, ChunkServerOptions options,
                         std::vector<LostSeat> lost)
    : impl_(std::make_unique<Impl>(std::move(loops), std::move(seats), std::move(options), std::move(lost))) {}
ChunkServer::~ChunkServer() = default;

Task<Result<void>> ChunkServer::Start() {
  return impl_->Start();
}
Task<void> ChunkServer::Stop() {
  return impl_->Stop();
}
Endpoint ChunkServer::endpoint() const {
  return impl_->endpoint();
}
std::string ChunkServer::cluster_id() const {
  return impl_->cluster_id();
}

}  // namespace gabion
