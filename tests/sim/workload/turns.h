#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/workload/workload.h"

namespace gabion {

/// Processes on all clients count in shared files, each under an exclusive lock on the counter (fcntl), and look at it
/// under a shared one. Nobody has a lock that excludes another's, and no count is lost.
///
/// A client that the metaserver has not heard of for longer than a session lives may lose its locks to others. Then its
/// process is told with EIO, or finds out nothing; the counter has no value to be expected any more. Nor has it if
/// servers lose power before a count is synced.
class Turns final : public Workload {
 public:
  Turns(SimCluster& cluster, int ops);

  std::string_view name() const override { return "turns"; }
  bool expects_synced_only() const override { return true; }
  void PowerLost() override { power_lost_ = true; }
  void MayLapse(const std::string& machine) override;
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  struct Counter {
    std::string path;
    std::uint64_t begin = 0;
    std::optional<std::uint64_t> value = 0;                    // none: a lock on it was lost
    std::map<unsigned, std::pair<std::string, bool>> holders;  // process -> client, exclusive
  };

  Task<void> Run(unsigned index);
  Task<void> Step(SimRandom& random, unsigned process, PosixCalls& client, Counter& counter);
  Task<void> Count(SimRandom& random, unsigned process, PosixCalls& client, Fd fd, Counter& counter);
  /// Says that the process has the lock now; others that it excludes must have lost theirs.
  void Enter(unsigned process, const std::string& client, bool exclusive, Counter& counter);
  /// Whether `result` is good; otherwise the process must have been robbed.
  template <typename T>
  bool Expect(const std::string& client, const std::string& what, const Result<T>& result, Counter& counter);

  const int ops_;
  std::vector<Counter> counters_;
  std::set<std::string> may_lapse_;
  bool power_lost_ = false;  // then a write that was not synced may be gone, and fsync says so
};

}  // namespace gabion
