#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/workload/workload.h"

namespace gabion {

/// All clients make, link, rename and remove the same few names in the same few directories at once, so that most calls
/// meet another one halfway. Which call came first nobody can say; how many names there are in the end can be counted:
/// every call that succeeded has made or removed one, or none, exactly once, whatever was sent how often.
class Storm final : public Workload {
 public:
  Storm(SimCluster& cluster, int ops);

  std::string_view name() const override { return "storm"; }
  void MayLapse(const std::string& /*machine*/) override { may_lapse_ = true; }
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  bool MayBeLost(const Result<void>& done) const override;
  /// What a client sees of the whole tree.
  struct Seen {
    std::int64_t names = 0;
    std::map<Ino, std::uint32_t> files;  // by how many names
    std::map<Ino, std::string> paths;    // one of them
  };

  Task<void> Run(unsigned index);
  Task<void> Step(SimRandom& random, PosixCalls& client);
  Task<void> Create(PosixCalls& client, std::string path);
  Task<void> Rename(SimRandom& random, PosixCalls& client, std::string path);
  Task<void> SwapDirectories(SimRandom& random, PosixCalls& client);
  std::string RandomPath(SimRandom& random) const;
  /// Whether it was done; fails if it was refused for a reason that no storm explains.
  bool Done(const std::string& what, const Result<void>& result);

  Task<void> Look(PosixCalls& client, Seen& seen);
  Task<void> CheckFiles(PosixCalls& client, const Seen& seen);

  const int ops_;
  std::vector<std::string> directories_;
  bool replaces_ = false;   // names are renamed onto others: then only bounds of the count are known
  std::int64_t names_ = 0;  // at most
  std::int64_t maybe_replaced_ = 0;
  bool may_lapse_ = false;
};

}  // namespace gabion
