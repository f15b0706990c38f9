#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/workload/register_history.h"
#include "tests/sim/workload/workload.h"

namespace gabion {

struct RegistersOptions {
  int ops = 150;                // of each worker
  bool one_writer_each = true;  // all writes of a register come from one client
};

/// Blocks of 4 KiB in files that all clients have open, written and read by several workers at once; some sync what
/// they write. In the end the calls of each block must be linearizable, over all faults.
///
/// What is not promised is left out: when servers lose power, or the client has not been heard of for longer than a
/// session lives, what was not synced may go.
class Registers final : public Workload {
 public:
  Registers(SimCluster& cluster, RegistersOptions options);

  std::string_view name() const override { return options_.one_writer_each ? "registers" : "contended"; }
  bool expects_synced_only() const override { return true; }
  bool takes_no_space() const override { return true; }
  void PowerLost() override { power_losses_.push_back(Now()); }
  void MayLackSpace() override { may_lack_space_ = true; }
  void MayLapse(const std::string& machine) override { may_lapse_.insert(machine); }
  Task<void> Prepare() override;
  std::vector<Task<void>> Streams() override;
  Task<void> Verify() override;
  Task<void> SyncAll() override;
  Task<void> Remove() override;

 private:
  /// Registers side by side, which one call may read or write together; each is atomic by itself.
  struct Span {
    unsigned file = 0;
    std::uint64_t first_block = 0;
    unsigned blocks = 0;
  };
  using RegisterKey = std::pair<unsigned, std::uint64_t>;  // file, block

  static std::string PathOf(unsigned file);
  Task<void> Run(unsigned index);
  /// Some of the registers of one row.
  Span RandomSpan(SimRandom& random);
  Task<void> WriteSpan(unsigned client, Fd fd, Span span);
  Task<void> ReadSpan(unsigned client, Fd fd, Span span);
  Task<void> ReadAll(unsigned client);
  void CheckHistories();
  bool MayBeUndone(unsigned client, const Result<void>& done) const;
  bool MayHaveLapsed(unsigned client) const;
  /// Whether what the write left behind may be gone, although nobody else has seen it.
  bool MayBeLost(const RegisterOp& write) const;
  bool Binds(const RegisterOp& read) const;
  TimePoint Now() const { return TimePoint{} + cluster_.world().elapsed(); }

  const RegistersOptions options_;
  std::vector<Span> rows_;
  std::uint64_t last_value_ = 0;
  std::map<RegisterKey, std::vector<RegisterOp>> ops_;
  std::map<std::uint64_t, RegisterOp> writes_;  // by value
  std::set<std::uint64_t> unsynced_;            // values of writes that were not synced
  std::set<std::string> may_lapse_;
  bool may_lack_space_ = false;
  std::vector<TimePoint> power_losses_;
};

}  // namespace gabion
