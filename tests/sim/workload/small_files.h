#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/workload/workload.h"

namespace gabion {

/// Many small files come and go: made several at once, read back by another client, removed by a third one. What was
/// closed is there for everybody, and as it was written.
class SmallFiles final : public Workload {
 public:
  SmallFiles(SimCluster& cluster, int ops) : Workload(cluster), ops_(ops) {}

  std::string_view name() const override { return "smallfiles"; }
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  /// By path, of what is there for sure; while a call of a worker makes or removes one, it is not listed.
  using Files = std::map<std::string, std::string>;

  Task<void> Run(unsigned index);
  Task<void> MakeSome(SimRandom& random, unsigned index);
  Task<void> MakeOne(PosixCalls& client, std::string path, std::string bytes);
  Task<void> ReadOne(PosixCalls& client, std::string path, std::string wanted);
  Task<void> RemoveOne(PosixCalls& client, std::string path);
  PosixCalls& AnyClient(SimRandom& random) { return *clients_[random.Below(clients_.size())]; }

  const int ops_;
  std::vector<Files> files_;  // of each worker
  std::uint64_t last_file_ = 0;
};

}  // namespace gabion
