#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/sim_cluster.h"
#include "tests/sim/workload/workload.h"

namespace gabion {

/// What the faults of one run share: the cluster, the chance, and the budget: what has a fault already, so that the
/// damage stays within what the design survives. Outlives the faults.
class FaultScene {
 public:
  FaultScene(SimCluster& cluster, Workload& workload)
      : cluster_(cluster), workload_(workload), random_(DeriveSeed(cluster.options().seed, "faults")) {}

  SimCluster& cluster() { return cluster_; }
  Workload& workload() { return workload_; }
  SimRandom& random() { return random_; }
  Clock& clock() { return cluster_.world().machine("test").clock(); }

  std::string AnyOf(const std::vector<std::string>& names) { return names[random_.Below(names.size())]; }
  std::string AnyChunkserver() { return AnyOf(cluster_.chunkservers()); }
  std::string AnyServer();
  std::string AnyMachine() { return AnyOf(cluster_.names()); }

  /// Up to `longest`. Short ones are as interesting as long ones, so the scale is drawn first.
  Task<void> Sleep(Duration longest);
  void Trace(const std::string& what) { cluster_.world().Trace("fault: " + what); }

  /// Holds a place in the budget as long as it lives. Empty: there was none.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : scene_(std::exchange(other.scene_, nullptr)), what_(std::move(other.what_)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(scene_, other.scene_);
      std::swap(what_, other.what_);
      return *this;
    }
    ~Hold() {
      if (scene_ != nullptr) scene_->held_.erase(what_);
    }
    explicit operator bool() const { return scene_ != nullptr; }

   private:
    friend class FaultScene;
    Hold(FaultScene* scene, std::string what) : scene_(scene), what_(std::move(what)) {}
    FaultScene* scene_ = nullptr;
    std::string what_;
  };

  /// As long as it lives, the workload knows that something is missing.
  class Lack {
   public:
    Lack() = default;
    explicit Lack(std::function<void()> end) : end_(std::move(end)) {}
    Lack(Lack&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
    Lack& operator=(Lack&& other) noexcept {
      std::swap(end_, other.end_);
      return *this;
    }
    ~Lack() {
      if (end_) end_();
    }

   private:
    std::function<void()> end_;
  };
  /// For a machine that stands still.
  [[nodiscard]] Lack Standstill(const std::string& machine);
  /// For a wire on which nothing passes.
  [[nodiscard]] Lack Silence(const std::string& from, const std::string& to);
  /// For a full disk.
  [[nodiscard]] Lack NoSpace();

  /// `what` (a machine, a wire) has one fault at a time.
  Hold TryHold(std::string what);
  /// For a fault after which only one failure is survived no more: there is no other, and there will be none meanwhile.
  Hold TryHoldAlone();

  /// Waits until all copies are in sync, which every fault's own end must allow.
  Task<void> AwaitHealthy();
  Task<bool> IsHealthy();

 private:
  static constexpr const char* kAlone = "everything";

  SimCluster& cluster_;
  Workload& workload_;
  SimRandom random_;
  std::set<std::string> held_;
};

}  // namespace gabion
