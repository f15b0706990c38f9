#include "common/env/sim/sim_machine.h"

#include <fmt/format.h>

#include "common/base/check.h"

namespace gabion {

// What one process holds of its machine.
struct SimMachine::Process {
  std::shared_ptr<SimLife> life;
  std::unique_ptr<SimTransport> transport;
  std::vector<std::unique_ptr<SimRandom>> randoms;
  std::vector<std::unique_ptr<Env>> envs;
  std::map<std::string, std::unique_ptr<SimDisk>> disks;
  std::map<std::string, std::unique_ptr<MemoryKv>> kvs;
};

// An io_context whose queue can be dropped while everything that the handlers point to is still there.
class SimMachine::IoContext : public asio::io_context {
 public:
  IoContext() : asio::io_context(1) {}
  void Drop() { shutdown(); }
};

SimMachine::SimMachine(SimScheduler& scheduler, SimNetwork& network, std::string name, unsigned loops)
    : scheduler_(scheduler),
      network_(network),
      name_(std::move(name)),
      loops_(loops),
      io_(std::make_unique<IoContext>()) {
  CHECK(loops_ > 0);
  network_.AddMachine(name_);
  // Clocks of different machines have nothing to do with each other; what compares them shall fail.
  const TimePoint origin{static_cast<std::int64_t>(scheduler_.random().Below(1'000'000)) * 1'000'000};
  clocks_.push_back(std::make_unique<SimClock>(scheduler_, origin));
  StartProcess();
}

SimMachine::~SimMachine() = default;

void SimMachine::StartProcess() {
  auto process = std::make_unique<Process>();
  process->life = std::make_shared<SimLife>();
  process->life->machine = name_;
  process->life->boot = boot_;
  process->life->process = processes_;
  process->transport = std::make_unique<SimTransport>(network_, process->life, clock());
  for (unsigned loop = 0; loop < loops_; ++loop) {
    const std::string stream = fmt::format("{}/{}/{}", name_, processes_, loop);
    process->randoms.push_back(std::make_unique<SimRandom>(DeriveSeed(scheduler_.seed(), stream)));
    Env env{io_->get_executor(), clock(), *process->transport, *process->randoms.back(), loop};
    env.buggify = &scheduler_.buggify();
    process->envs.push_back(std::make_unique<Env>(env));
  }
  ++processes_;
  process_list_.push_back(std::move(process));
}

void SimMachine::EndProcess(bool power_loss) {
  scheduler_.Trace(name_ + (power_loss ? " loses power" : " killed"));
  const std::shared_ptr<SimLife> life = process_list_.back()->life;
  life->alive = false;
  network_.EndLife(life, power_loss);
}

void SimMachine::KillProcess() {
  EndProcess(false);
  for (auto& [name, contents] : contents_) contents->Cool();
  StartProcess();
}

void SimMachine::LosePower() {
  EndProcess(true);
  for (auto& [name, platter] : platters_) platter->LosePower();
  for (auto& [name, contents] : contents_) contents->LosePower();
  ++boot_;
  clocks_.push_back(std::make_unique<SimClock>(scheduler_, TimePoint{}));
  StartProcess();
}

Env& SimMachine::env(unsigned loop) {
  CHECK(loop < loops_);
  return *process_list_.back()->envs[loop];
}

std::vector<Env*> SimMachine::envs() {
  std::vector<Env*> all;
  for (auto& env : process_list_.back()->envs) all.push_back(env.get());
  return all;
}

SimDisk& SimMachine::disk(const std::string& name) {
  Process& process = *process_list_.back();
  auto& platter = platters_[name];
  if (!platter) platter = std::make_unique<SimPlatter>(scheduler_, name_ + "/" + name);
  auto& disk = process.disks[name];
  if (!disk) disk = std::make_unique<SimDisk>(scheduler_, *platter, process.life);
  return *disk;
}

MemoryKv& SimMachine::kv(const std::string& name) {
  Process& process = *process_list_.back();
  auto& contents = contents_[name];
  if (!contents) contents = std::make_unique<MemoryKvContents>(scheduler_, name_ + "/" + name);
  auto& kv = process.kvs[name];
  if (!kv) kv = std::make_unique<MemoryKv>(scheduler_, *contents, process.life);
  return *kv;
}

SimClock& SimMachine::clock() {
  return *clocks_.back();
}

asio::io_context& SimMachine::io() {
  return *io_;
}

bool SimMachine::Poll() {
  if (paused_) return false;
  io_->restart();
  return io_->poll() > 0;
}

void SimMachine::DropHandlers() {
  io_->Drop();
}

}  // namespace gabion
