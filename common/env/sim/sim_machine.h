#pragma once

#include <asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/env/sim/memory_kv.h"
#include "common/env/sim/sim_clock.h"
#include "common/env/sim/sim_disk.h"
#include "common/env/sim/sim_network.h"
#include "common/env/sim/sim_random.h"
#include "common/env/sim/sim_scheduler.h"
#include "common/env/sim/sim_transport.h"

namespace gabion {

/// A machine of a SimWorld, with one process on it. What env(), disk() and kv() return belongs to the present process:
/// after KillProcess() or LosePower() ask again. The old ones stay valid, and fail, until the world ends: so the
/// objects of the process that died can be stopped and destroyed as usual, without effect on what it left behind.
class SimMachine {
 public:
  SimMachine(SimScheduler& scheduler, SimNetwork& network, std::string name, unsigned loops);
  ~SimMachine();
  SimMachine(const SimMachine&) = delete;
  SimMachine& operator=(const SimMachine&) = delete;

  const std::string& name() const { return name_; }

  /// One of the process's event loops; all of them run in the world's thread.
  Env& env(unsigned loop = 0);
  std::vector<Env*> envs();
  /// Made, empty, on first use.
  SimDisk& disk(const std::string& name);
  MemoryKv& kv(const std::string& name);

  /// As kill -9: connections close, listeners go, disks and stores keep everything that was written.
  void KillProcess();
  /// The plug is pulled and put back: disks and stores lose (or tear) some of what was not synced, peers are not told,
  /// the monotonic clock and boot_id begin anew.
  void LosePower();

  /// How often it was started: another number is another boot.
  unsigned boot() const { return boot_; }

  /// Stops all its code, as a machine that swaps or a stopped virtual machine; its clock goes on.
  void Pause() { paused_ = true; }
  void Resume() { paused_ = false; }

  /// The clock of the present process; a drift lasts until power is lost.
  SimClock& clock();

  // For SimWorld.

  asio::io_context& io();
  /// Runs what is ready; whether there was anything.
  bool Poll();
  /// Destroys what is ready and never ran.
  void DropHandlers();

 private:
  struct Process;
  class IoContext;

  void StartProcess();
  void EndProcess(bool power_loss);

  SimScheduler& scheduler_;
  SimNetwork& network_;
  const std::string name_;
  const unsigned loops_;
  bool paused_ = false;
  unsigned boot_ = 0;
  unsigned processes_ = 0;
  std::unique_ptr<IoContext> io_;
  std::map<std::string, std::unique_ptr<SimPlatter>> platters_;
  std::map<std::string, std::unique_ptr<MemoryKvContents>> contents_;
  std::vector<std::unique_ptr<SimClock>> clocks_;       // one a boot
  std::vector<std::unique_ptr<Process>> process_list_;  // the last one lives
};

}  // namespace gabion
