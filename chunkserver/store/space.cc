// Space of a store: slabs added on demand, room kept for the index, freed blocks given back to the host.
#include <algorithm>

#include "chunkserver/store/slab_name.h"
#include "chunkserver/store/store_core.h"
#include "common/base/log.h"

namespace gabion {
namespace {

// Left for the index, so that a full disk can still be emptied: a sixteenth, within reason.
std::uint64_t HeadroomBytes(std::uint64_t total_bytes) {
  return std::clamp(total_bytes / 16, 4 * kMiB, kGiB);
}

// Set aside for making copies equal, beside that: a sixty-fourth, within reason. Not only left free: when something
// else fills the disk, members that differ must be made equal all the same.
std::uint64_t ReserveBytes(std::uint64_t total_bytes) {
  return std::min(total_bytes / 64, 64 * kMiB);
}

constexpr int kReserveAttemptsMax = 4;

Error NoSpace(const std::string& name) {
  return {ErrorCode::kNoSpace, "store " + name + " is full"};
}

}  // namespace

std::uint64_t StoreCore::BeyondHeadroomLocked() const {
  std::uint64_t kept = HeadroomBytes(space_.total_bytes) + reserved_since_space_;
  return space_.available_bytes > kept ? space_.available_bytes - kept : 0;
}

std::uint64_t StoreCore::SpendableLocked(Purpose purpose) const {
  std::uint64_t beyond = BeyondHeadroomLocked();
  if (purpose == Purpose::kLastResort) return beyond + ReserveLeftLocked();
  std::uint64_t wanted = ReserveBytes(space_.total_bytes);
  std::uint64_t missing = wanted - std::min(wanted, ReserveLeftLocked());
  return beyond > missing ? beyond - missing : 0;
}

bool StoreCore::has_space() const {
  std::lock_guard lock(mutex_);
  return !offline_ && SpendableLocked(Purpose::kOrdinary) >= kMaxPayloadBytes;
}

Task<Result<void>> StoreCore::RefreshSpace() {
  AsyncMutex::Guard guard = co_await reserve_mutex_.Lock();
  Result<DiskSpace> space = co_await disk_.Space();
  if (!space) {
    GoOffline(space.error());
    co_return space.error();
  }
  {
    std::lock_guard lock(mutex_);
    space_ = *space;
    reserved_since_space_ = 0;
  }
  co_await FillReserve();
  co_return Result<void>();
}

Task<void> StoreCore::FillReserve() {
  std::uint64_t before = 0;
  std::uint64_t wanted = 0;
  {
    std::lock_guard lock(mutex_);
    before = space_.set_aside_bytes;
    wanted = std::min(ReserveBytes(space_.total_bytes), before + BeyondHeadroomLocked());
  }
  if (wanted <= before) co_return;
  Result<std::uint64_t> after = co_await disk_.SetAside(wanted);
  if (!after) {
    LogWarning("store {}: {}", name_, after.error().ToString());
    co_return;
  }
  std::lock_guard lock(mutex_);
  space_.set_aside_bytes = *after;
  reserved_since_space_ += *after - std::min(before, *after);
}

Task<void> StoreCore::SpendReserve() {
  AsyncMutex::Guard guard = co_await reserve_mutex_.Lock();
  std::uint64_t spent = 0;
  std::uint64_t left = 0;
  {
    std::lock_guard lock(mutex_);
    spent = reserve_spent_;
    left = ReserveLeftLocked();
  }
  Result<std::uint64_t> after = co_await disk_.SetAside(left);
  if (!after) LogWarning("store {}: {}", name_, after.error().ToString());
  std::lock_guard lock(mutex_);
  space_.set_aside_bytes = after ? *after : left;
  reserve_spent_ -= spent;
}

Task<Result<Reservation>> StoreCore::Reserve(std::uint32_t block_count, Purpose purpose) {
  if (block_count == 0) co_return Reservation();
  std::uint64_t bytes = block_count * kBlockBytes;
  Reservation reservation;
  for (int attempt = 0; attempt < kReserveAttemptsMax;) {
    bool full = false;
    std::uint64_t from_reserve = 0;
    {
      std::lock_guard lock(mutex_);
      state_->ReleaseReusable();
      full = SpendableLocked(purpose) < bytes;
      if (!full) {
        std::vector<BlockRun> runs = state_->allocator.Reserve(block_count);
        if (!runs.empty()) {
          from_reserve = bytes - std::min(bytes, BeyondHeadroomLocked());
          reserved_since_space_ += bytes - from_reserve;
          reserve_spent_ += from_reserve;
          reservation = Reservation(this, std::move(runs));
        }
      }
    }
    if (from_reserve > 0) co_await SpendReserve();
    if (!reservation.runs().empty()) co_return reservation;
    if (!full) {
      Result<void> grown = co_await Grow(block_count);
      if (!grown) co_return grown.error();
    } else if (attempt == 0) {
      // The count since the last look is pessimistic: blocks that were reused cost nothing.
      Result<void> refreshed = co_await RefreshSpace();
      if (!refreshed) co_return refreshed.error();
    } else {
      co_await Reclaim();
    }
    attempt += full ? 1 : 0;  // a new slab is progress, even if somebody else took its blocks
    Result<void> online = CheckOnline();
    if (!online) co_return online.error();
  }
  co_return NoSpace(name_);
}

Task<Result<void>> StoreCore::Grow(std::uint32_t block_count) {
  AsyncMutex::Guard growing = co_await grow_mutex_.Lock();
  std::size_t index = 0;
  std::uint64_t slab_bytes = 0;
  {
    std::lock_guard lock(mutex_);
    if (state_->allocator.free_blocks() >= block_count) co_return Result<void>();  // somebody else's slab
    index = slabs_.size();
    slab_bytes = state_->superblock.slab_bytes;
  }
  std::string name = SlabName(index);
  Result<std::unique_ptr<DiskFile>> slab = co_await disk_.Open(name, slab_bytes);
  if (!slab) {
    if (slab.error().code() == ErrorCode::kNoSpace) co_return slab.error();
    co_return Checked(slab.error());
  }
  Result<CommitSeq> applied = [&] {
    std::lock_guard lock(mutex_);
    slabs_.push_back(std::move(*slab));
    state_->allocator.AddSlab();
    state_->superblock.slab_count = static_cast<std::uint32_t>(slabs_.size());
    WriteBatch batch;
    batch.Put(SuperblockKey(), EncodeSuperblock(state_->superblock));
    return index_.Apply(batch);
  }();
  if (!applied) co_return Checked(applied.error());
  co_return Result<void>();
}

Task<void> StoreCore::Reclaim() {
  AsyncMutex::Guard reclaiming = co_await reclaim_mutex_.Lock();
  // Twice: the first sync ends previous records, whose blocks are free once that is durable as well.
  for (int round = 0; round < 2; ++round) {
    Result<void> synced = co_await Sync();
    if (!synced) co_return;
    co_await EndDurableGenerations();
  }
  co_await PunchFreed(true);
  Result<void> refreshed = co_await RefreshSpace();
  if (!refreshed) LogWarning("store {}: {}", name_, refreshed.error().ToString());
}

Task<void> StoreCore::PunchFreed(bool short_too) {
  while (!stopping_) {
    std::vector<BlockRun> runs;
    std::uint64_t blocks_per_slab = 0;
    {
      std::lock_guard lock(mutex_);
      if (offline_) co_return;
      blocks_per_slab = state_->superblock.slab_bytes / kBlockBytes;
      state_->ReleaseReusable();
      runs = state_->allocator.TakePunchable(short_too);
    }
    if (runs.empty()) co_return;
    for (const BlockRun& run : runs) {
      DiskFile* slab = Slab(run.first / blocks_per_slab);
      Result<void> punched =
          co_await slab->PunchHole(run.first % blocks_per_slab * kBlockBytes, run.count * kBlockBytes);
      if (!punched && punched.error().code() == ErrorCode::kIo) GoOffline(punched.error());
      std::lock_guard lock(mutex_);
      state_->allocator.Punched(run);
    }
  }
}

}  // namespace gabion
