#include "common/env/sim/sim_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "common/base/checksum.h"

namespace gabion {
namespace {

constexpr std::uint64_t kChanceScale = 1'000'000;

}  // namespace

SimPlatter::SimPlatter(SimScheduler& scheduler, std::string name) : scheduler_(scheduler), name_(std::move(name)) {}

void SimPlatter::ApplyTo(Units& units, const Change& change, std::uint64_t begin, std::uint64_t end) {
  while (begin < end) {
    const std::uint64_t index = begin / kUnitBytes;
    const std::uint64_t within = begin % kUnitBytes;
    const std::uint64_t length = std::min(end - begin, kUnitBytes - within);
    auto found = units.find(index);
    if (change.bytes.empty() && length == kUnitBytes) {
      if (found != units.end()) units.erase(found);
    } else if (!change.bytes.empty() || found != units.end()) {
      auto unit = found == units.end() ? std::make_shared<Unit>() : std::make_shared<Unit>(*found->second);
      if (change.bytes.empty()) {
        std::memset(unit->data() + within, 0, length);
      } else {
        std::memcpy(unit->data() + within, change.bytes.data() + (begin - change.offset_bytes), length);
      }
      units[index] = std::move(unit);
    }
    begin += length;
  }
}

std::string SimPlatter::ReadFrom(const Units& units, std::uint64_t offset_bytes, std::size_t length) {
  std::string bytes(length, '\0');
  const std::uint64_t end = offset_bytes + length;
  for (auto unit = units.lower_bound(offset_bytes / kUnitBytes); unit != units.end(); ++unit) {
    const std::uint64_t unit_begin = unit->first * kUnitBytes;
    if (unit_begin >= end) break;
    const std::uint64_t begin = std::max(unit_begin, offset_bytes);
    const std::uint64_t stop = std::min(unit_begin + kUnitBytes, end);
    std::memcpy(bytes.data() + (begin - offset_bytes), unit->second->data() + (begin - unit_begin), stop - begin);
  }
  return bytes;
}

bool SimPlatter::Apply(File& file, Change change) {
  const std::size_t units_before = file.current.size();
  if (!change.bytes.empty()) {
    std::uint64_t new_units = 0;
    for (std::uint64_t index = change.offset_bytes / kUnitBytes;
         index * kUnitBytes < change.offset_bytes + change.length_bytes; ++index) {
      if (!file.current.contains(index)) ++new_units;
    }
    if (taken_bytes() + new_units * kUnitBytes > options_.capacity_bytes) return false;
  }
  change.number = next_change_++;
  ApplyTo(file.current, change, change.offset_bytes, change.offset_bytes + change.length_bytes);
  used_bytes_ += file.current.size() * kUnitBytes;
  used_bytes_ -= units_before * kUnitBytes;
  file.unsynced_bytes += change.bytes.size();
  file.unsynced.push_back(std::move(change));
  while (file.unsynced_bytes > options_.writeback_bytes) MakeDurable(file, file.unsynced.front().number);
  return true;
}

void SimPlatter::MakeDurable(File& file, std::uint64_t up_to_number) {
  while (!file.unsynced.empty() && file.unsynced.front().number <= up_to_number) {
    const Change& change = file.unsynced.front();
    ApplyTo(file.durable, change, change.offset_bytes, change.offset_bytes + change.length_bytes);
    file.unsynced_bytes -= change.bytes.size();
    file.unsynced.pop_front();
  }
}

void SimPlatter::Erase() {
  files_.clear();
  set_aside_bytes_ = 0;
  CountUsed();
}

void SimPlatter::CountUsed() {
  used_bytes_ = 0;
  for (const auto& [name, file] : files_) used_bytes_ += file->current.size() * kUnitBytes;
}

void SimPlatter::LosePower() {
  SimRandom& random = scheduler_.random();
  for (auto& [name, file] : files_) {
    for (const Change& change : file->unsynced) {
      const std::uint64_t end = change.offset_bytes + change.length_bytes;
      const std::uint64_t fate = random.Below(3);  // lost, kept, torn
      if (fate == 1) ApplyTo(file->durable, change, change.offset_bytes, end);
      if (fate != 2) continue;
      for (std::uint64_t begin = change.offset_bytes; begin < end;) {
        const std::uint64_t sector_end = std::min(RoundDown(begin, kSectorBytes) + kSectorBytes, end);
        if (random.Chance(1, 2)) ApplyTo(file->durable, change, begin, sector_end);
        begin = sector_end;
      }
    }
    // Open handles of the life that ended keep the old file.
    auto rebooted = std::make_shared<File>();
    rebooted->current = file->durable;
    rebooted->durable = std::move(file->durable);
    file = std::move(rebooted);
  }
  CountUsed();
}

void SimPlatter::FlipBit(const std::string& file, std::uint64_t offset_bytes, unsigned bit) {
  const auto found = files_.find(file);
  CHECK(found != files_.end() && bit < 8);
  for (Units* units : {&found->second->current, &found->second->durable}) {
    const auto unit = units->find(offset_bytes / kUnitBytes);
    auto flipped = unit == units->end() ? std::make_shared<Unit>() : std::make_shared<Unit>(*unit->second);
    (*flipped)[offset_bytes % kUnitBytes] ^= std::byte{1} << bit;
    (*units)[offset_bytes / kUnitBytes] = std::move(flipped);
  }
  CountUsed();
}

std::function<void()> SimPlatter::FlipBitForNow(const std::string& file, std::uint64_t offset_bytes, unsigned bit) {
  const std::uint64_t index = offset_bytes / kUnitBytes;
  const auto unit_of = [index](const Units& units) {
    const auto found = units.find(index);
    return found == units.end() ? nullptr : found->second;
  };
  const File& before = *files_.at(file);
  const auto current = unit_of(before.current);
  const auto durable = unit_of(before.durable);
  FlipBit(file, offset_bytes, bit);
  const auto bad_current = unit_of(before.current);
  const auto bad_durable = unit_of(before.durable);
  return [=, this] {
    File& now = *files_.at(file);
    for (Units* units : {&now.current, &now.durable}) {
      const auto unit = unit_of(*units);
      if (unit == nullptr || (unit != bad_current && unit != bad_durable)) continue;
      const auto good = unit == bad_current ? current : durable;
      if (good == nullptr) units->erase(index);
      if (good != nullptr) (*units)[index] = good;
    }
    CountUsed();
  };
}

std::vector<std::string> SimPlatter::FileNames() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::vector<std::uint64_t> SimPlatter::UnitsOf(const std::string& file) const {
  std::vector<std::uint64_t> offsets;
  for (const auto& [index, unit] : files_.at(file)->current) offsets.push_back(index * kUnitBytes);
  return offsets;
}

std::string SimPlatter::Contents(const std::string& file, std::uint64_t offset_bytes, std::size_t length) const {
  const auto found = files_.find(file);
  return found == files_.end() ? std::string() : ReadFrom(found->second->current, offset_bytes, length);
}

/// An open file in the hands of one life of a process.
class SimDiskFile final : public DiskFile {
 public:
  SimDiskFile(SimScheduler& scheduler, SimPlatter& platter, std::shared_ptr<SimLife> life, std::string name,
              std::shared_ptr<SimPlatter::File> file)
      : scheduler_(scheduler),
        platter_(platter),
        life_(std::move(life)),
        name_(std::move(name)),
        file_(std::move(file)) {}

  Task<Result<Slice>> ReadAt(std::uint64_t offset_bytes, std::size_t length) override {
    co_await Delay(platter_.options_.read_delay_mean);
    if (Fails(platter_.fail_reads_)) co_return IoError("reading");
    co_return Slice::CopyOf(SimPlatter::ReadFrom(file_->current, offset_bytes, length));
  }

  Task<Result<void>> WriteAt(std::uint64_t offset_bytes, Payload payload) override {
    // A kill in the middle leaves whole pages: some are written at once, the rest when the call ends.
    const Slice bytes = Slice::CopyOf(payload.Joined().span());
    const std::uint64_t split =
        RoundDown(offset_bytes + scheduler_.random().Below(bytes.size() + 1), SimPlatter::kUnitBytes);
    const std::size_t first = std::max(split, offset_bytes) - offset_bytes;
    if (Fails(platter_.fail_writes_)) co_return IoError("writing");
    if (!Change(offset_bytes, bytes.Part(0, first))) co_return NoSpaceError();
    co_await Delay(platter_.options_.write_delay_mean);
    if (Fails(0)) co_return IoError("writing");
    if (!Change(offset_bytes + first, bytes.Part(first, bytes.size() - first))) co_return NoSpaceError();
    scheduler_.Trace(fmt::format("{} write {} {}+{} {:x}", platter_.name_, name_, offset_bytes, bytes.size(),
                                 ChecksumOf(bytes.span())));
    co_return Result<void>();
  }

  Task<Result<void>> Sync() override {
    const std::uint64_t number = platter_.next_change_ - 1;
    co_await Delay(platter_.options_.sync_delay_mean);
    // A kernel drops what it could not write: a later success would hide that.
    sync_failed_ = sync_failed_ || Fails(platter_.fail_syncs_);
    if (sync_failed_) co_return IoError("syncing");
    platter_.MakeDurable(*file_, number);
    scheduler_.Trace(fmt::format("{} sync {} {}", platter_.name_, name_, number));
    co_return Result<void>();
  }

  Task<Result<void>> PunchHole(std::uint64_t offset_bytes, std::uint64_t length_bytes) override {
    co_await Delay(platter_.options_.write_delay_mean);
    if (Fails(platter_.fail_writes_)) co_return IoError("punching a hole into");
    SimPlatter::Change change;
    change.offset_bytes = offset_bytes;
    change.length_bytes = length_bytes;
    if (length_bytes > 0) platter_.Apply(*file_, std::move(change));
    scheduler_.Trace(fmt::format("{} punch {} {}+{}", platter_.name_, name_, offset_bytes, length_bytes));
    co_return Result<void>();
  }

 private:
  Task<void> Delay(Duration mean) {
    const std::uint64_t drawn = scheduler_.random().Exponential(static_cast<std::uint64_t>(mean.count()));
    return scheduler_.SleepFor(Duration(static_cast<std::int64_t>(drawn)));
  }
  bool Fails(std::uint64_t per_million) {
    return !life_->alive || platter_.dead_ ||
           (per_million > 0 && scheduler_.random().Chance(per_million, kChanceScale));
  }
  bool Change(std::uint64_t offset_bytes, Slice bytes) {
    if (bytes.empty()) return true;
    SimPlatter::Change change;
    change.offset_bytes = offset_bytes;
    change.length_bytes = bytes.size();
    change.bytes = std::move(bytes);
    return platter_.Apply(*file_, std::move(change));
  }
  Error IoError(std::string_view what) const {
    return {ErrorCode::kIo,
            fmt::format("{} {}/{}: {}", what, platter_.name_, name_, life_->alive ? "I/O error" : "process killed")};
  }
  Error NoSpaceError() const {
    return {ErrorCode::kNoSpace, fmt::format("writing {}/{}: disk full", platter_.name_, name_)};
  }

  SimScheduler& scheduler_;
  SimPlatter& platter_;
  std::shared_ptr<SimLife> life_;
  std::string name_;
  std::shared_ptr<SimPlatter::File> file_;
  bool sync_failed_ = false;
};

Task<Result<std::unique_ptr<DiskFile>>> SimDisk::Open(std::string name, std::uint64_t) {
  co_await scheduler_.SleepFor(platter_.options_.sync_delay_mean);
  if (!life_->alive || platter_.dead_) {
    co_return Error(ErrorCode::kIo, fmt::format("opening {}/{}: {}", platter_.name_, name,
                                                life_->alive ? "I/O error" : "process killed"));
  }
  auto& file = platter_.files_[name];
  if (!file) file = std::make_shared<SimPlatter::File>();
  scheduler_.Trace(fmt::format("{} open {}", platter_.name_, name));
  std::unique_ptr<DiskFile> opened = std::make_unique<SimDiskFile>(scheduler_, platter_, life_, name, file);
  co_return std::move(opened);
}

Task<Result<DiskSpace>> SimDisk::Space() {
  if (!life_->alive || platter_.dead_)
    co_return Error(ErrorCode::kIo, "asking for the space of " + platter_.name_ + ": I/O error");
  DiskSpace space;
  space.total_bytes = platter_.options_.capacity_bytes;
  space.available_bytes = space.total_bytes - std::min(space.total_bytes, platter_.taken_bytes());
  space.set_aside_bytes = platter_.set_aside_bytes_;
  co_return space;
}

Task<Result<std::uint64_t>> SimDisk::SetAside(std::uint64_t bytes) {
  co_await scheduler_.SleepFor(platter_.options_.write_delay_mean);
  if (!life_->alive || platter_.dead_)
    co_return Error(ErrorCode::kIo, "setting space of " + platter_.name_ + " aside: I/O error");
  const bool fits = platter_.sets_aside_ && platter_.used_bytes_ + bytes <= platter_.options_.capacity_bytes;
  if (fits || bytes < platter_.set_aside_bytes_) platter_.set_aside_bytes_ = bytes;
  scheduler_.Trace(fmt::format("{} set aside {}", platter_.name_, platter_.set_aside_bytes_));
  co_return platter_.set_aside_bytes_;
}

std::string SimDisk::boot_id() const {
  return fmt::format("{}.boot{}", life_->machine, life_->boot);
}

}  // namespace gabion
