#include "fs-client/client.h"

#include <asio/co_spawn.hpp>
#include <utility>

#include "common/base/log.h"
#include "fs-client/lease/recall_listener.h"
#include "fs-client/lock/file_locks.h"
#include "fs-client/session/group_source.h"
#include "fs-client/vfs/open_file_uses.h"
#include "fs-client/vfs/volume_vfs.h"

namespace gabion {
namespace {

// What is not on the chunkservers after so long will not be: they are away, and somebody waits for the unmount.
constexpr Duration kStopFlushLimit = std::chrono::seconds(60);
constexpr Duration kCloseLimit = std::chrono::seconds(5);

/// Runs `task` on another loop; its caller goes on on its own.
Task<void> RunOn(ClientLoop* loop, Task<void> task) {
  co_await asio::co_spawn(loop->env().executor, std::move(task), asio::use_awaitable);
}

}  // namespace

/// The parts, in the order in which they depend on each other.
class Client::Impl {
 public:
  Impl(std::vector<Env*> envs, ClientOptions options);

  Task<Result<void>> Start();
  Task<void> Stop();
  void SetInvalidator(CacheInvalidator* invalidator) { kernel_.SetInvalidator(invalidator); }
  Vfs& vfs() { return vfs_; }

 private:
  static std::vector<std::unique_ptr<ClientLoop>> MakeLoops(const std::vector<Env*>& envs,
                                                            const ClientOptions& options);
  static std::vector<ClientLoop*> PointersTo(const std::vector<std::unique_ptr<ClientLoop>>& loops);
  MetaSession::Options SessionOptions() const;
  Task<void> Open(Result<void>& opened);
  Task<void> FlushAndClose();

  const ClientOptions options_;
  const std::vector<std::unique_ptr<ClientLoop>> loops_;
  const std::vector<ClientLoop*> loop_pointers_;
  TaskGroup tasks_;
  RootMap root_;
  OpenFiles files_;
  HeldLocks held_locks_;
  KernelCaches kernel_;
  Leases leases_;
  MemoryBudget memory_;
  MetaSession session_;
  RecallListener recalls_;
  const std::shared_ptr<GroupSource> groups_;
  MetaCalls meta_;
  FileLocks locks_;
  ChunkCalls chunks_;
  ChunkPlaces places_;
  Reader reader_;
  WriteBack write_back_;
  ReleaseQueue releases_;
  HandleNaming naming_;
  OpenFileUses file_uses_;
  VolumeVfs vfs_;
  bool started_ = false;
};

Client::Impl::Impl(std::vector<Env*> envs, ClientOptions options)
    : options_(std::move(options)),
      loops_(MakeLoops(envs, options_)),
      loop_pointers_(PointersTo(loops_)),
      held_locks_(files_, options_.max_lock_waits_per_loop),
      kernel_(root_),
      leases_(kernel_),
      memory_(options_.memory_bytes),
      session_(loop_pointers_, SessionOptions(), files_, held_locks_, leases_, memory_, tasks_),
      recalls_(session_, leases_, held_locks_, tasks_),
      // In simulation there are no processes to ask.
      groups_(options_.host_id.empty() ? nullptr : MakeProcGroupSource()),
      meta_(session_, leases_, groups_.get()),
      locks_(meta_, leases_.cache(), held_locks_),
      chunks_(session_),
      places_(meta_, session_, chunks_),
      reader_(chunks_, places_, memory_, tasks_),
      write_back_({meta_, session_, chunks_, places_, memory_, kernel_, tasks_, leases_,
                   [this](const OpenInodePtr& inode) { files_.Retire(inode); }}),
      releases_(meta_, session_, tasks_),
      naming_(files_, meta_, session_, releases_),
      file_uses_(files_, write_back_, naming_, locks_, leases_.cache(), kernel_, tasks_),
      vfs_({loop_pointers_, session_, meta_, leases_, locks_, chunks_, places_, reader_, write_back_, files_, naming_,
            releases_, kernel_, root_, tasks_}) {}

std::vector<std::unique_ptr<ClientLoop>> Client::Impl::MakeLoops(const std::vector<Env*>& envs,
                                                                 const ClientOptions& options) {
  std::vector<std::unique_ptr<ClientLoop>> loops;
  for (Env* env : envs) loops.push_back(std::make_unique<ClientLoop>(*env, options.metaservers, options.host_id));
  return loops;
}

std::vector<ClientLoop*> Client::Impl::PointersTo(const std::vector<std::unique_ptr<ClientLoop>>& loops) {
  std::vector<ClientLoop*> pointers;
  for (const auto& loop : loops) pointers.push_back(loop.get());
  return pointers;
}

MetaSession::Options Client::Impl::SessionOptions() const {
  MetaSession::Options session;
  session.volume = options_.volume;
  session.subdir = options_.subdir;
  session.host_name = options_.host_name;
  session.mountpoint = options_.mountpoint;
  session.read_only = options_.read_only;
  session.soft = options_.soft;
  return session;
}

Task<Result<void>> Client::Impl::Start() {
  Result<void> opened;
  Task<void> opening = Open(opened);
  co_await RunOn(loop_pointers_.front(), std::move(opening));
  co_return opened;
}

/// On the first loop.
Task<void> Client::Impl::Open(Result<void>& opened) {
  ClientLoop* loop = loop_pointers_.front();
  opened = co_await session_.Open(loop->Now() + options_.connect_timeout);
  if (!opened) {
    co_await loop->Stop();
    co_return;
  }
  started_ = true;
  root_ = RootMap(session_.root_ino());
  session_.StartRenewing();
  recalls_.SetUses(file_uses_);
  tasks_.Spawn(loop->env().executor, recalls_.ListenUntilStopped(loop));
  tasks_.Spawn(loop->env().executor, recalls_.WatchTime(loop));
  tasks_.Spawn(loop->env().executor, write_back_.AgeUntilStopped(loop));
  tasks_.Spawn(loop->env().executor, naming_.NameOldUntilStopped(loop));
}

Task<void> Client::Impl::Stop() {
  if (!std::exchange(started_, false)) co_return;
  Task<void> closing = FlushAndClose();
  co_await RunOn(loop_pointers_.front(), std::move(closing));
  for (ClientLoop* loop : loop_pointers_) {
    Task<void> stopping = loop->Stop();
    co_await RunOn(loop, std::move(stopping));
  }
  co_await tasks_.Join();
}

/// On the first loop.
Task<void> Client::Impl::FlushAndClose() {
  ClientLoop* loop = loop_pointers_.front();
  bool clean = co_await write_back_.FlushEverything(loop, loop->Now() + kStopFlushLimit);
  if (!clean) LogError("data that was written and not synced is lost: the servers did not take it in time");
  write_back_.StopAgeing();
  session_.StopWaiting();
  naming_.Stop();
  co_await recalls_.Stop();
  // What was sent, and not answered, must not arrive after others have the file: that is seen to when the session
  // lapses.
  if (clean) co_await session_.Close(loop->Now() + kCloseLimit);
}

Client::Client(std::vector<Env*> loops, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(loops), std::move(options))) {}

Client::~Client() = default;

Task<Result<void>> Client::Start() {
  return impl_->Start();
}

void Client::SetInvalidator(CacheInvalidator* invalidator) {
  impl_->SetInvalidator(invalidator);
}

Vfs& Client::vfs() {
  return impl_->vfs();
}

Task<void> Client::Stop() {
  return impl_->Stop();
}

}  // namespace gabion
