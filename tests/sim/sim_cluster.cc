#include "tests/sim/sim_cluster.h"

#include <fmt/format.h>

#include <asio/co_spawn.hpp>
#include <cstdio>
#include <cstdlib>

#include "common/base/log.h"

namespace gabion {
namespace {

constexpr std::uint16_t kMetaPort = 9470;
constexpr std::uint16_t kChunkPort = 9480;

/// Says once what the programs log: nothing, for thousands of their complaints are what a fault is for.
void SetUpLog() {
  static const bool done = [] {
    const char* level = std::getenv("GABION_SIM_LOG");
    const Result<LogLevel> parsed = ParseLogLevel(level == nullptr ? "error" : level);
    return OpenLog("", parsed ? *parsed : LogLevel::kInfo).has_value();
  }();
  CHECK(done);
}

class MetaDaemon final : public SimDaemon {
 public:
  MetaDaemon(std::vector<Env*> loops, KvStore& store, MetaServerOptions options)
      : server_(std::move(loops), store, std::move(options)) {}
  Task<Result<void>> Start() override { return server_.Start(); }
  Task<void> Stop() override { return server_.Stop(); }

 private:
  MetaServer server_;
};

class ChunkDaemon final : public SimDaemon {
 public:
  ChunkDaemon(std::vector<Env*> loops, std::vector<DiskSeat> seats, ChunkServerOptions options)
      : server_(std::move(loops), std::move(seats), std::move(options)) {}
  Task<Result<void>> Start() override { return server_.Start(); }
  Task<void> Stop() override { return server_.Stop(); }

 private:
  ChunkServer server_;
};

class ClientDaemon final : public SimDaemon {
 public:
  ClientDaemon(std::vector<Env*> loops, ClientOptions options)
      : client_(loops, std::move(options)), kernel_(client_.vfs(), *loops.front()) {
    client_.SetInvalidator(&kernel_);
  }
  Task<Result<void>> Start() override { return client_.Start(); }
  Task<void> Stop() override { return client_.Stop(); }
  SimKernel& vfs() { return kernel_; }

 private:
  Client client_;
  SimKernel kernel_;
};

}  // namespace

SimCluster::SimCluster(SimClusterOptions options) : options_(options), world_(options.seed) {
  SetUpLog();
  AddNode("meta").make = [this] { return MakeMetaserver(); };
  for (unsigned i = 1; i <= options_.chunkservers + options_.spare_chunkservers; ++i) {
    const std::string name = fmt::format("chunk{}", i);
    chunkserver_names_.push_back(name);
    AddNode(name).make = [this, name] { return MakeChunkserver(name); };
    platter(name).options().capacity_bytes = options_.disk_bytes;
  }
  for (unsigned i = 1; i <= options_.clients; ++i) {
    const std::string name = fmt::format("client{}", i);
    client_names_.push_back(name);
    AddNode(name).make = [this, name] { return MakeClient(name); };
  }
  SimMachine& here = world_.machine("test");
  admin_ = std::make_unique<RpcClient>(here.env(), Endpoint{"meta", kMetaPort}, Identity{proto::ROLE_ADMIN, "", 0});

  Start("meta");
  for (unsigned i = 0; i < options_.chunkservers; ++i) Start(chunkserver_names_[i]);
  CHECK(AllServersAlive());
  const Result<void> created = Do(CreateVolume());
  CHECK(created.has_value());
  for (const std::string& name : client_names_) Start(name);
}

SimCluster::~SimCluster() {
  // Whatever the test left broken would only make the end slow.
  network().MendAll();
  for (auto& [name, node] : nodes_) node.machine->Resume();
  world_.RunUntilDone(StopAll(), std::chrono::hours(1));
}

SimCluster::Node& SimCluster::AddNode(const std::string& name) {
  Node& node = nodes_[name];
  node.machine = &world_.AddMachine(name);
  return node;
}

std::vector<std::string> SimCluster::names() const {
  std::vector<std::string> all;
  for (const auto& [name, node] : nodes_) all.push_back(name);
  return all;
}

std::unique_ptr<SimDaemon> SimCluster::MakeMetaserver() {
  MetaServerOptions options;
  options.listen.port = kMetaPort;
  options.pgs_per_policy = options_.pgs_per_policy;
  options.session_ttl = options_.session_ttl;
  options.session_expiry = options_.session_expiry;
  SimMachine& machine = *nodes_.at("meta").machine;
  options.boot_id = fmt::format("boot{}", machine.boot());
  return std::make_unique<MetaDaemon>(machine.envs(), machine.kv(kStore), std::move(options));
}

std::unique_ptr<SimDaemon> SimCluster::MakeChunkserver(const std::string& name) {
  ChunkServerOptions options;
  options.listen.port = kChunkPort;
  options.metaserver = Endpoint{"meta", kMetaPort};
  options.host = name;
  options.server_uuid = "uuid-of-" + name;
  options.starts = ++nodes_.at(name).starts;
  options.slab_bytes = options_.slab_bytes;
  options.start_afresh = [this, name](const std::vector<std::string>&) {
    tasks_.Spawn(world_.machine("test").env().executor, StartAfresh(name));
  };
  SimMachine& machine = *nodes_.at(name).machine;
  std::vector<DiskSeat> seats;
  seats.push_back(DiskSeat{"/" + name, machine.disk(kDisk), machine.kv(kStore)});
  return std::make_unique<ChunkDaemon>(machine.envs(), std::move(seats), std::move(options));
}

std::unique_ptr<SimDaemon> SimCluster::MakeClient(const std::string& name) {
  ClientOptions options;
  options.metaservers.push_back(Endpoint{"meta", kMetaPort});
  options.volume = kVolume;
  options.host_name = name;
  options.mountpoint = "/mnt";
  options.memory_bytes = options_.client_memory_bytes;
  return std::make_unique<ClientDaemon>(nodes_.at(name).machine->envs(), std::move(options));
}

Task<Result<void>> SimCluster::CreateVolume() {
  proto::VolumeCreateRequest request;
  request.set_name(kVolume);
  request.set_replicas(options_.replicas);
  Result<proto::VolumeCreateReply> reply =
      co_await CallMeta<proto::VolumeCreateReply>(proto::METHOD_VOLUME_CREATE, std::move(request));
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<void> SimCluster::StartTask(std::string name) {
  Node& node = nodes_.at(name);
  CHECK(!node.process);
  auto process = std::make_shared<Process>();
  process->daemon = node.make();
  node.process = process;
  Result<void> started = co_await On(node.machine->env().executor, process->daemon->Start());
  process->start_ended.Set();
  // It may have been killed meanwhile.
  if (started || node.process != process) co_return;
  fmt::print(stderr, "simulation (seed {}): {} does not start: {}\n", options_.seed, name, started.error().ToString());
  std::abort();
}

void SimCluster::StartEverything() {
  if (!Runs("meta")) Start("meta");
  for (const auto* names : {&chunkserver_names_, &client_names_}) {
    for (const std::string& name : *names) {
      if (!Runs(name)) Start(name);
    }
  }
}

Task<void> SimCluster::StartAfresh(std::string name) {
  if (!Runs(name)) co_return;  // it was killed meanwhile, and says it again
  Kill(name);
  platter(name).Erase();
  store(name).Erase();
  co_await StartTask(name);
}

void SimCluster::Kill(const std::string& name) {
  nodes_.at(name).machine->KillProcess();
  Bury(name);
}

void SimCluster::LosePower(const std::string& name) {
  nodes_.at(name).machine->LosePower();
  Bury(name);
}

void SimCluster::LosePowerEverywhere() {
  for (const std::string& name : names()) LosePower(name);
}

// Its objects end as those of a program that is told to stop; whatever they try fails, for their life is over.
void SimCluster::Bury(const std::string& name) {
  Node& node = nodes_.at(name);
  if (!node.process) return;
  dead_.push_back(node.process);
  tasks_.Spawn(node.machine->env().executor, StopProcess(std::move(node.process)));
}

Task<void> SimCluster::StopProcess(std::shared_ptr<Process> process) {
  co_await process->start_ended.Wait();
  co_await process->daemon->Stop();
}

Task<void> SimCluster::StopGently(std::string name) {
  Node& node = nodes_.at(name);
  CHECK(node.process);
  dead_.push_back(node.process);
  Executor there = node.machine->env().executor;
  Task<void> stopping = StopProcess(std::move(node.process));
  co_await asio::co_spawn(there, std::move(stopping), asio::use_awaitable);
}

Task<void> SimCluster::StopAll() {
  for (const auto* names : {&client_names_, &chunkserver_names_}) {
    for (const std::string& name : *names) {
      if (Runs(name)) co_await StopGently(name);
    }
  }
  if (Runs("meta")) co_await StopGently("meta");
  co_await admin_->Stop();
  co_await tasks_.Join();
}

SimKernel& SimCluster::vfs(const std::string& client) {
  const std::shared_ptr<Process>& process = nodes_.at(client).process;
  CHECK(process);
  auto* daemon = dynamic_cast<ClientDaemon*>(process->daemon.get());
  CHECK(daemon != nullptr);
  return daemon->vfs();
}

Task<Result<proto::AdminStatusReply>> SimCluster::Status() {
  return CallMeta<proto::AdminStatusReply>(proto::METHOD_ADMIN_STATUS, proto::AdminStatusRequest());
}

bool SimCluster::WaitForStatus(const std::function<bool(const proto::AdminStatusReply&)>& condition, Duration limit) {
  const Duration end = world_.elapsed() + limit;
  while (world_.elapsed() < end) {
    const Result<proto::AdminStatusReply> status = Do(Status());
    if (status && condition(*status)) return true;
    world_.RunFor(std::chrono::milliseconds(100));
  }
  return false;
}

bool SimCluster::AllServersAlive() {
  return WaitForStatus([this](const proto::AdminStatusReply& status) {
    unsigned alive = 0;
    for (const proto::ServerEntry& server : status.servers()) alive += server.alive() ? 1 : 0;
    return alive == options_.chunkservers;
  });
}

}  // namespace gabion
