#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/posix_calls.h"

namespace gabion {

/// Work for a cluster, that knows at every moment what must be true of it. Gabion's promises (DESIGN 1) are what it
/// expects: what a call answered is seen by all, a fault is a pause and no error.
class Workload {
 public:
  explicit Workload(SimCluster& cluster);
  virtual ~Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  virtual std::string_view name() const = 0;

  /// Whether it tells apart what was synced and what was only acknowledged. One that does is told when servers lose
  /// power, and then expects only the former; any other expects everything, so nothing may take it away.
  virtual bool expects_synced_only() const { return false; }
  /// Whether it takes "no space left" for an answer, after which the call may have had its effect or not. Only such
  /// work meets full disks.
  virtual bool takes_no_space() const { return false; }
  /// Servers lose power, so that what was not synced may be gone.
  virtual void PowerLost() {}
  /// One server of several that have a copy loses power. Nothing is gone, but who syncs may hear that it is not
  /// certain.
  virtual void OneLostPower() {}
  /// A disk is full, until SpaceIsBack. What was gathered for it may be lost, which only who syncs it hears for
  /// certain.
  virtual void MayLackSpace() {}
  virtual void SpaceIsBack() {}
  /// The client is not heard of at the metaserver, or does not hear of it, until IsBack: perhaps for longer than a
  /// session lives. If it is the metaserver, it stands still.
  virtual void MayLapse(const std::string& /*machine*/) {}
  virtual void IsBack(const std::string& /*machine*/) {}

  /// Makes what the work needs, and syncs it. Before anything else, without faults.
  virtual Task<void> Prepare() = 0;
  /// The work, to be spawned by the caller, under faults. All handles are closed when all of them have ended.
  virtual std::vector<Task<void>> Streams() = 0;
  /// Compares everything that is stored with what must be. Without faults, as often as wanted.
  virtual Task<void> Verify() = 0;
  /// Makes everything durable.
  virtual Task<void> SyncAll() = 0;
  /// rm -rf.
  virtual Task<void> Remove() = 0;

  /// What went wrong first; empty if nothing did.
  const std::string& failure() const { return failure_; }

 protected:
  /// Whether it is an error that tells of writes that may be lost, once.
  virtual bool MayBeLost(const Result<void>&) const { return false; }
  void Fail(std::string what);
  /// Fails if `result` is an error; whether it is none.
  template <typename T>
  bool Expect(const std::string& what, const Result<T>& result) {
    if (!result) Fail(what + ": " + result.error().ToString());
    return result.has_value();
  }
  std::uint64_t seed() const { return cluster_.options().seed; }
  /// Mostly nothing, sometimes a pause, for what happens only in time.
  Task<void> Think(SimRandom& random);
  /// What was lost with the metaserver's power is told once; after that all there is is synced.
  Task<void> SyncDirectory(PosixCalls& client, std::string path);
  Task<void> SyncFile(PosixCalls& client, std::string path);
  /// Unlinks what is in the directory, then removes it.
  Task<void> RemoveDirectory(PosixCalls& client, std::string path);

  SimCluster& cluster_;
  std::vector<std::unique_ptr<PosixCalls>> clients_;

 private:
  std::string failure_;
};

/// A workload by its name; null if there is none of that name. `ops`: calls of each of its workers.
std::unique_ptr<Workload> MakeWorkload(std::string_view name, SimCluster& cluster, int ops);
std::vector<std::string> WorkloadNames();
/// Whether it knows that a client that is away for longer than its session lives loses what it has written and not
/// synced. For others sessions live long.
bool TakesLapses(std::string_view name);

}  // namespace gabion
