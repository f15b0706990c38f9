#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/workload/model_fs.h"
#include "tests/sim/workload/workload.h"

namespace gabion {

struct PosixWorkloadOptions {
  unsigned workers = 2;
  int ops = 150;  // of each worker
  std::uint64_t max_write_bytes = 100'000;
};

/// Workers that call at random what POSIX offers, each in a directory of its own ("/w0", "/w1"...), and compare every
/// answer with a model. A worker makes one call after another, each on a client drawn anew, so every call must see what
/// the call before did on another machine; several workers work at once.
class PosixWorkload final : public Workload {
 public:
  PosixWorkload(SimCluster& cluster, PosixWorkloadOptions options);
  ~PosixWorkload() override;

  std::string_view name() const override { return "posix"; }
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  /// As seen by each client.
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  friend class PosixWorker;

  Task<void> VerifyTree(PosixCalls& client, std::string base, const ModelFs& model);
  Task<void> VerifyFile(PosixCalls& client, std::string path, ModelNodePtr node);

  const PosixWorkloadOptions options_;
  std::vector<std::unique_ptr<class PosixWorker>> workers_;
};

}  // namespace gabion
