#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/coro/async_mutex.h"
#include "tests/sim/workload/workload.h"

namespace gabion {

struct AppendsOptions {
  int ops = 150;         // of each worker
  bool at_once = false;  // clients append to one file at once
};

/// Workers on all clients append records to files (O_APPEND). In the end every record that was acknowledged is there,
/// once and whole, and nothing else.
///
/// Some files belong to one client, whose workers append at once. To the others the clients append in turn, each
/// opening and closing the file: until clients hold leases no more is promised (`at_once` does not wait for its turn).
class Appends final : public Workload {
 public:
  Appends(SimCluster& cluster, AppendsOptions options);
  ~Appends() override;

  std::string_view name() const override { return options_.at_once ? "appenders" : "append"; }
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  struct File {
    std::string path;
    int owner = -1;  // the only client that appends; -1: any
    AsyncMutex turn;
    std::map<std::uint64_t, std::size_t> records;  // acknowledged, with their lengths
  };

  Task<void> Run(unsigned index);
  Task<void> Step(SimRandom& random, unsigned client, File& file);
  Task<void> AppendSome(SimRandom& random, PosixCalls& client, File& file);
  /// Compares what is there with what was acknowledged, while nobody appends.
  Task<void> Check(PosixCalls& client, File& file);
  static std::string CompareRecords(const std::string& bytes, const File& file);

  const AppendsOptions options_;
  std::vector<std::unique_ptr<File>> files_;
  std::uint64_t last_record_ = 0;
};

}  // namespace gabion
