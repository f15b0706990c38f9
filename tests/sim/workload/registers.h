#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/workload/register_history.h"
#include "tests/sim/workload/workload.h"
#include "tests/sim/workload/write_fates.h"

namespace gabion {

struct RegistersOptions {
  int ops = 150;                // of each worker
  bool one_writer_each = true;  // all writes of a register come from one client
};

/// Blocks of 4 KiB in files that all clients have open, written and read by several workers at once; some sync what
/// they write. In the end the calls of each block must be linearizable, over all faults. So must be those of one file's
/// size: each write there makes it longer than all before.
///
/// What is not promised is left out (WriteFates): what was not synced may go when servers lose power, and what was
/// gathered if its client was not heard of for longer than a session lives.
class Registers final : public Workload {
 public:
  Registers(SimCluster& cluster, RegistersOptions options);

  std::string_view name() const override { return options_.one_writer_each ? "registers" : "contended"; }
  bool expects_synced_only() const override { return true; }
  bool takes_no_space() const override { return true; }
  void PowerLost() override { fates_.PowerLost(Now()); }
  void OneLostPower() override { fates_.DoubtPower(); }
  void MayLackSpace() override { fates_.no_space().Begin(Now()); }
  void SpaceIsBack() override { fates_.no_space().End(Now()); }
  void MayLapse(const std::string& machine) override;
  void IsBack(const std::string& machine) override;
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
  struct Handle {
    unsigned client = 0;
    unsigned file = 0;
    Fd fd;
    TimePoint told;  // it was opened, or an error was told through it
  };

  static std::string PathOf(unsigned file);
  Task<void> Run(unsigned index);
  /// Some of the registers of one row.
  Span RandomSpan(SimRandom& random);
  Task<std::optional<Handle>> OpenFile(unsigned client, unsigned file, int flags);
  Task<void> CloseFile(Handle handle);
  Task<void> Step(SimRandom& random, Handle& handle, Span span);
  Task<void> WriteSpan(Handle& handle, Span span);
  Task<void> Grow(Handle& handle);
  void NoteWritten(RegisterOp op, const Handle& handle, std::uint64_t block, bool is_open);
  Task<void> SyncHandle(Handle& handle);
  Task<void> ReadSpan(const Handle& handle, Span span);
  void NoteSynced(std::optional<unsigned> client, const Handle& handle, std::uint64_t ended_before);
  Task<void> ReadSize(const Handle& handle);
  Task<void> ReadAll(unsigned client);
  void CheckHistories();
  /// Whether `result` is an error that tells of what may happen to unsynced writes of the handle's client.
  bool TellsOfLoss(Handle& handle, const Result<void>& result);
  TimePoint Now() const { return TimePoint{} + cluster_.world().elapsed(); }

  const RegistersOptions options_;
  std::vector<Span> rows_;
  std::uint64_t last_value_ = 0;
  std::map<RegisterKey, std::vector<RegisterOp>> ops_;
  WriteFates fates_;
};

}  // namespace gabion
