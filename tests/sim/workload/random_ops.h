#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/posix_calls.h"
#include "tests/sim/workload/model_fs.h"

namespace gabion {

struct RandomOpsOptions {
  unsigned workers = 2;
  int ops = 150;  // of each worker
  std::uint64_t max_write_bytes = 100'000;
};

/// Workers that call at random what POSIX offers, each in a directory of its own ("/w0", "/w1"...), and compare every
/// answer with a model. A worker makes one call after another, each on a client drawn anew, so every call must see what
/// the call before did on another machine; several workers work at once.
///
/// A file that was written through a handle on one client is flushed before another client looks at its content, for
/// until then nothing is promised.
class RandomOps {
 public:
  RandomOps(SimCluster& cluster, RandomOpsOptions options);
  ~RandomOps();

  /// Makes the workers' directories. Before anything else.
  Task<void> Prepare();
  /// The workers, to be spawned by the caller; all handles are closed when they end.
  std::vector<Task<void>> Workers();
  /// Makes everything durable.
  Task<void> SyncAll();
  /// Compares everything that is stored with the models, as seen by each client.
  Task<void> VerifyAll();
  /// rm -rf.
  Task<void> RemoveAll();

  /// What went wrong first; empty if nothing did.
  const std::string& failure() const { return failure_; }

 private:
  friend class RandomWorker;

  void Fail(std::string what);
  Task<void> VerifyTree(PosixCalls& client, std::string base, const ModelFs& model);
  Task<void> VerifyFile(PosixCalls& client, std::string path, ModelNodePtr node);

  SimCluster& cluster_;
  const RandomOpsOptions options_;
  std::vector<std::unique_ptr<PosixCalls>> clients_;
  std::vector<std::unique_ptr<class RandomWorker>> workers_;
  std::string failure_;
};

}  // namespace gabion
