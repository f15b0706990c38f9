#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/workload/register_history.h"
#include "tests/sim/workload/workload.h"

namespace gabion {

struct RegistersOptions {
  int ops = 150;                // of each worker
  bool one_writer_each = true;  // all writes of a register come from one client
};

/// Blocks of 4 KiB in files that all clients have open, written and read by several workers at once. A write ends when
/// it is synced. In the end the calls of each block must be linearizable, over all faults.
///
/// What is not promised is left out: until clients hold leases, a client sees what it has written at once and the
/// others when it is synced; and when servers lose power, what was not synced may go.
class Registers final : public Workload {
 public:
  Registers(SimCluster& cluster, RegistersOptions options);

  std::string_view name() const override { return options_.one_writer_each ? "registers" : "contended"; }
  bool expects_synced_only() const override { return true; }
  bool takes_no_space() const override { return true; }
  void PowerLost() override { power_losses_.push_back(Now()); }
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
  bool MayBeUndone(const Result<void>& done) const;
  bool Binds(const RegisterOp& read) const;
  TimePoint Now() const { return TimePoint{} + cluster_.world().elapsed(); }

  const RegistersOptions options_;
  std::vector<Span> rows_;
  std::uint64_t last_value_ = 0;
  std::map<RegisterKey, std::vector<RegisterOp>> ops_;
  std::map<std::uint64_t, RegisterOp> writes_;  // by value
  std::vector<TimePoint> power_losses_;
};

}  // namespace gabion
