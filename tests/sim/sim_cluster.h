#pragma once

#include <asio/co_spawn.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chunkserver/server.h"
#include "common/coro/async_event.h"
#include "common/coro/task_group.h"
#include "common/env/sim/sim_world.h"
#include "common/rpc/rpc_client.h"
#include "fs-client/client.h"
#include "metaserver/server.h"
#include "proto/admin.pb.h"
#include "tests/sim/sim_kernel.h"

namespace gabion {

struct SimClusterOptions {
  std::uint64_t seed = 1;
  unsigned chunkservers = 3;
  unsigned spare_chunkservers = 0;  // beside these; they run when the test starts them
  unsigned clients = 1;
  std::uint32_t replicas = 3;
  std::uint32_t pgs_per_policy = 8;
  std::uint64_t slab_bytes = 64ull << 20;
  std::uint64_t disk_bytes = 4ull << 30;
  Duration session_ttl = std::chrono::seconds(10);
  Duration session_expiry = std::chrono::minutes(5);
  std::uint64_t client_memory_bytes = 64ull << 20;
};

/// A program on a simulated machine, whichever it is.
class SimDaemon {
 public:
  virtual ~SimDaemon() = default;
  virtual Task<Result<void>> Start() = 0;
  virtual Task<void> Stop() = 0;
};

/// A whole cluster in one thread under virtual time (docs/simulation.md): "meta", "chunk1" to "chunkN" and "client1" to
/// "clientM", each on a machine of its name, and one volume. All but spare chunkservers run when the constructor
/// returns.
///
///     SimCluster cluster({.seed = 7, .clients = 2});
///     cluster.Kill("chunk2");
///     cluster.Start("chunk2");
class SimCluster {
 public:
  static constexpr const char* kVolume = "home";

  explicit SimCluster(SimClusterOptions options);
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  const SimClusterOptions& options() const { return options_; }
  SimWorld& world() { return world_; }
  SimNetwork& network() { return world_.network(); }
  SimMachine& machine(const std::string& name) { return *nodes_.at(name).machine; }
  SimPlatter& platter(const std::string& chunkserver) { return machine(chunkserver).disk(kDisk).platter(); }
  MemoryKvContents& store(const std::string& server) { return machine(server).kv(kStore).contents(); }
  const std::vector<std::string>& chunkservers() const { return chunkserver_names_; }
  const std::vector<std::string>& clients() const { return client_names_; }
  /// All three kinds.
  std::vector<std::string> names() const;

  // Faults. All of them may be called while the world runs.

  bool Runs(const std::string& name) const { return nodes_.at(name).process != nullptr; }
  /// As kill -9: what the process wrote is there for the next one. It runs.
  void Kill(const std::string& name);
  /// The plug is pulled: what was not synced may be lost, or torn.
  void LosePower(const std::string& name);
  void LosePowerEverywhere();
  /// SIGTERM: the program ends as it wants to.
  Task<void> StopGently(std::string name);
  /// Starts what was killed; a program that cannot start ends the test.
  void Start(const std::string& name) { world_.RunUntilDone(StartTask(name)); }
  void StartEverything();
  /// A chunkserver's process ends, and begins again with an empty store.
  Task<void> StartAfresh(std::string name);
  Task<void> StartTask(std::string name);

  // Use.

  /// Runs the world until `task` is done.
  template <typename T>
  T Do(Task<T> task) {
    return world_.RunUntilDone(std::move(task));
  }
  /// Starts `task`; Await, or looking at it while the world runs, tells how it ended.
  template <typename T>
  std::shared_ptr<std::optional<T>> Begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    tasks_.Spawn(world_.machine("test").env().executor, StoreResult(std::move(task), result));
    return result;
  }
  std::shared_ptr<std::optional<bool>> BeginVoid(Task<void> task) { return Begin(ReturnTrue(std::move(task))); }
  template <typename T>
  T Await(const std::shared_ptr<std::optional<T>>& begun, Duration limit = SimWorld::kDefaultLimit) {
    const bool done = world_.RunUntil([&begun] { return begun->has_value(); }, limit);
    CHECK(done);
    return std::move(**begun);
  }
  /// Runs `task` on a machine's loop, awaited from another machine's.
  template <typename T>
  static Task<T> On(Executor executor, Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    Task<void> storing = StoreResult(std::move(task), result);
    co_await asio::co_spawn(executor, std::move(storing), asio::use_awaitable);
    co_return std::move(**result);
  }

  /// The client's present process, with a kernel's caches above it. It runs.
  SimKernel& vfs(const std::string& client);
  Executor executor(const std::string& name) { return machine(name).env().executor; }

  /// What `gabion status` shows.
  Task<Result<proto::AdminStatusReply>> Status();
  /// Runs the world until `condition` holds of the status, asked every 100 ms; false if it does not within `limit`.
  bool WaitForStatus(const std::function<bool(const proto::AdminStatusReply&)>& condition,
                     Duration limit = std::chrono::minutes(1));
  bool AllServersAlive();

  /// A call of the administrator or of a bare client of our own making, from the test's machine.
  template <typename Reply, typename Request>
  Task<Result<Reply>> CallMeta(proto::Method method, Request request) {
    SimMachine& here = world_.machine("test");
    const TimePoint deadline = here.clock().Now() + std::chrono::seconds(10);
    Payload none;
    Task<Result<TypedReply<Reply>>> call = CallTyped<Reply>(*admin_, method, request, std::move(none), deadline);
    Result<TypedReply<Reply>> reply = co_await std::move(call);
    if (!reply) co_return reply.error();
    co_return std::move(reply->message);
  }

 private:
  static constexpr const char* kDisk = "disk";
  static constexpr const char* kStore = "store";

  struct Process {
    std::unique_ptr<SimDaemon> daemon;
    AsyncEvent start_ended;  // Stop() may be called then
  };
  struct Node {
    SimMachine* machine = nullptr;
    std::function<std::unique_ptr<SimDaemon>()> make;
    std::shared_ptr<Process> process;  // null while it does not run
    std::uint64_t starts = 0;
  };

  template <typename T>
  static Task<void> StoreResult(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    T value = co_await std::move(task);
    result->emplace(std::move(value));
  }
  static Task<bool> ReturnTrue(Task<void> task) {
    co_await std::move(task);
    co_return true;
  }
  Node& AddNode(const std::string& name);
  std::unique_ptr<SimDaemon> MakeMetaserver();
  std::unique_ptr<SimDaemon> MakeChunkserver(const std::string& name);
  std::unique_ptr<SimDaemon> MakeClient(const std::string& name);
  Task<Result<void>> CreateVolume();
  void Bury(const std::string& name);
  static Task<void> StopProcess(std::shared_ptr<Process> process);
  Task<void> StopAll();

  const SimClusterOptions options_;
  SimWorld world_;
  std::vector<std::string> chunkserver_names_, client_names_;
  std::map<std::string, Node> nodes_;
  std::vector<std::shared_ptr<Process>> dead_;  // calls on them may still be ending
  std::unique_ptr<RpcClient> admin_;
  TaskGroup tasks_;
};

}  // namespace gabion
