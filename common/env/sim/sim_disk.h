#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/env/disk.h"
#include "common/env/sim/sim_life.h"
#include "common/env/sim/sim_scheduler.h"

namespace gabion {

struct SimDiskOptions {
  std::uint64_t capacity_bytes = 64ull << 30;
  Duration read_delay_mean = std::chrono::microseconds(50);  // exponential, as all delays
  Duration write_delay_mean = std::chrono::microseconds(30);
  Duration sync_delay_mean = std::chrono::microseconds(500);
  std::uint64_t writeback_bytes = 64ull << 20;  // unsynced bytes of a file, beyond which the oldest go to the platter
};

/// What lies on a simulated disk, through kills and power losses: files as readers see them, and as a power loss leaves
/// them. Belongs to the machine; a process works on it through SimDisk.
class SimPlatter {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;  // what a tear leaves whole
  static constexpr std::uint64_t kUnitBytes = 4096;   // of space

  SimPlatter(SimScheduler& scheduler, std::string name);

  SimDiskOptions& options() { return options_; }

  // Faults. A failed operation changes nothing.

  /// Each read (write, sync) fails with kIo with probability numerator / 1,000,000.
  void FailReads(std::uint64_t per_million) { fail_reads_ = per_million; }
  void FailWrites(std::uint64_t per_million) { fail_writes_ = per_million; }
  void FailSyncs(std::uint64_t per_million) { fail_syncs_ = per_million; }
  /// From now on nothing can be set aside, as in a filesystem without fallocate.
  void DropSetAside() {
    sets_aside_ = false;
    set_aside_bytes_ = 0;
  }
  /// The disk is gone, or back.
  void SetDead(bool dead) { dead_ = dead; }
  /// Turns over one bit of what is stored, readers and platter both. The file exists.
  void FlipBit(const std::string& file, std::uint64_t offset_bytes, unsigned bit);
  /// The same, for a time: what is returned turns the bit back wherever nothing was written over it.
  std::function<void()> FlipBitForNow(const std::string& file, std::uint64_t offset_bytes, unsigned bit);

  // What is stored, for tests.

  std::vector<std::string> FileNames() const;
  /// Offsets of the units that are no holes, ascending.
  std::vector<std::uint64_t> UnitsOf(const std::string& file) const;
  std::string Contents(const std::string& file, std::uint64_t offset_bytes, std::size_t length) const;
  std::uint64_t used_bytes() const { return used_bytes_; }
  std::uint64_t taken_bytes() const { return used_bytes_ + set_aside_bytes_; }
  /// Something else takes all that is left, but for `left_bytes`. `options().capacity_bytes` undoes it.
  void FillUp(std::uint64_t left_bytes = 0) { options_.capacity_bytes = taken_bytes() + left_bytes; }

  /// Every write since the last sync is kept, lost or torn, each by itself.
  void LosePower();
  /// There is no file any more. None is open.
  void Erase();

 private:
  friend class SimDisk;
  friend class SimDiskFile;
  using Unit = std::array<std::byte, kUnitBytes>;
  using Units = std::map<std::uint64_t, std::shared_ptr<const Unit>>;  // absent: a hole

  struct Change {
    std::uint64_t number = 0;
    std::uint64_t offset_bytes = 0;
    std::uint64_t length_bytes = 0;
    Slice bytes;  // empty: a hole is punched
  };
  struct File {
    Units current;
    Units durable;
    std::deque<Change> unsynced;  // what turns `durable` into `current`
    std::uint64_t unsynced_bytes = 0;
  };

  static void ApplyTo(Units& units, const Change& change, std::uint64_t begin, std::uint64_t end);
  static std::string ReadFrom(const Units& units, std::uint64_t offset_bytes, std::size_t length);
  // False if the disk is too full.
  bool Apply(File& file, Change change);
  void MakeDurable(File& file, std::uint64_t up_to_number);
  void CountUsed();

  SimScheduler& scheduler_;
  const std::string name_;
  SimDiskOptions options_;
  std::uint64_t fail_reads_ = 0, fail_writes_ = 0, fail_syncs_ = 0;
  bool dead_ = false;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::uint64_t next_change_ = 1;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t set_aside_bytes_ = 0;
  bool sets_aside_ = true;
};

/// A platter in the hands of one life of a process: fails when that has ended.
class SimDisk final : public Disk {
 public:
  SimDisk(SimScheduler& scheduler, SimPlatter& platter, std::shared_ptr<SimLife> life)
      : scheduler_(scheduler), platter_(platter), life_(std::move(life)) {}

  Task<Result<std::unique_ptr<DiskFile>>> Open(std::string name, std::uint64_t size_bytes) override;
  Task<Result<DiskSpace>> Space() override;
  Task<Result<std::uint64_t>> SetAside(std::uint64_t bytes) override;
  std::string boot_id() const override;

  SimPlatter& platter() { return platter_; }

 private:
  SimScheduler& scheduler_;
  SimPlatter& platter_;
  std::shared_ptr<SimLife> life_;
};

}  // namespace gabion
