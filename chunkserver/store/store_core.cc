#include "chunkserver/store/store_core.h"

#include <algorithm>
#include <utility>

#include "chunkserver/store/kv_load.h"
#include "common/base/check.h"
#include "common/base/log.h"

namespace gabion {
namespace {

// A bad sector or two is for the readers' other replicas; a disk that keeps failing is not asked any more.
constexpr unsigned kReadErrorsMax = 16;

}  // namespace

Reservation::~Reservation() {
  if (core_ == nullptr) return;
  std::lock_guard lock(core_->mutex_);
  for (const BlockRun& run : runs_) core_->state_->allocator.Unreserve(run);
}

StoreCore::ReadScope::ReadScope(StoreCore& core) : core_(core) {
  std::lock_guard lock(core_.mutex_);
  ticket_ = core_.state_->gate.BeginRead();
}

StoreCore::ReadScope::~ReadScope() {
  std::lock_guard lock(core_.mutex_);
  core_.state_->gate.EndRead(ticket_);
}

StoreCore::StoreCore(Env& env, Disk& disk, KvStore& index, std::string name, StoreOptions options)
    : env_(env), disk_(disk), index_(index), name_(std::move(name)), options_(options) {}

StoreCore::~StoreCore() = default;

Task<void> StoreCore::Stop() {
  stopping_ = true;
  tasks_.Spawn(env_.executor, WakeUpkeep());
  co_await tasks_.Join();
}

Task<void> StoreCore::WakeUpkeep() {
  upkeep_sleep_.Cancel();
  co_return;
}

Result<void> StoreCore::CheckOnline() const {
  if (std::optional<std::string> reason = offline_reason()) {
    return Error(ErrorCode::kUnavailable, "store " + name_ + " is offline: " + *reason);
  }
  return {};
}

void StoreCore::GoOffline(const Error& reason) {
  {
    std::lock_guard lock(mutex_);
    if (offline_) return;
    offline_ = reason;
  }
  LogError(
      "store {} goes offline, its chunks are read from other servers: {}; check the disk, then restart this server",
      name_, reason.ToString());
}

std::optional<std::string> StoreCore::offline_reason() const {
  if (std::optional<Error> damaged = damage()) return damaged->ToString();
  std::lock_guard lock(mutex_);
  if (!offline_) return std::nullopt;
  return offline_->ToString();
}

std::optional<Error> StoreCore::damage() const {
  if (std::optional<Error> damaged = index_.damage()) return damaged;
  std::lock_guard lock(mutex_);
  // Slabs have no say in this: what is wrong with their bytes is said to who reads them.
  if (offline_ && offline_->code() == ErrorCode::kCorrupt) return offline_;
  return std::nullopt;
}

Result<void> StoreCore::Checked(Result<void> result) {
  if (!result && (result.error().code() == ErrorCode::kIo || result.error().code() == ErrorCode::kNoSpace)) {
    GoOffline(result.error());
  }
  return result;
}

DiskFile* StoreCore::Slab(std::size_t index) const {
  std::lock_guard lock(mutex_);
  CHECK(index < slabs_.size());
  return slabs_[index].get();
}

Task<Result<std::optional<ChunkRecord>>> StoreCore::FindChunk(ChunkId chunk) {
  for (int attempt = 0; attempt < kLoadAttemptsMax; ++attempt) {
    MissingKey missing;
    Result<std::optional<ChunkRecord>> found = [&] {
      std::lock_guard lock(mutex_);
      return state_->FindChunk(chunk, missing);
    }();
    if (found || found.error().code() != ErrorCode::kWouldBlock) co_return found;
    Result<void> loaded = co_await index_.Load(missing.key);
    if (!loaded) co_return loaded.error();
  }
  co_return LoadGaveUp();
}

Task<Result<std::vector<PageRecord>>> StoreCore::FindPages(ChunkId chunk, PageRange range, std::uint32_t length_bytes) {
  std::vector<PageRecord> records(range.last - range.first + std::size_t{1});
  std::uint64_t pages_with_data = RoundUp(length_bytes, kPageBytes) / kPageBytes;
  if (range.first >= pages_with_data) co_return records;
  std::uint16_t last = static_cast<std::uint16_t>(std::min<std::uint64_t>(range.last, pages_with_data - 1));
  if (range.first == last) {
    std::string key = EncodeKey(PageKey{chunk, last});
    Result<std::optional<std::string>> value = co_await GetLoaded(index_, std::move(key));
    if (!value) co_return value.error();
    if (value->has_value()) {
      Result<PageRecord> record = DecodePageRecord(**value);
      if (!record) co_return record.error();
      records.front() = *record;
    }
    co_return records;
  }
  Result<void> decoded;
  auto visit = [&](std::string_view key, std::string_view value) {
    std::optional<PageKey> page = DecodePageKey(key);
    Result<PageRecord> record = DecodePageRecord(value);
    if (!page || !record) {
      decoded = record ? Error(ErrorCode::kCorrupt, "a page's key does not parse") : record.error();
      return false;
    }
    records[page->page - std::size_t{range.first}] = *record;
    return true;
  };
  std::string first_key = EncodeKey(PageKey{chunk, range.first});
  std::string end_key = EncodeKey(PageKey{chunk, static_cast<std::uint16_t>(last + 1)});
  KvStore::Visitor visitor = visit;
  Result<void> scanned = co_await ScanLoaded(index_, first_key, end_key, visitor);
  if (!scanned) co_return scanned.error();
  if (!decoded) co_return decoded.error();
  co_return records;
}

std::vector<InlineWrite> StoreCore::FindInline(ChunkId chunk, std::uint16_t first_block, std::uint16_t last_block) {
  std::lock_guard lock(mutex_);
  if (state_->inlined.empty()) return {};
  return state_->inlined.Find(chunk, first_block, last_block);
}

Task<Result<Slice>> StoreCore::ReadBlocks(BlockRun run) {
  std::uint64_t blocks_per_slab = state_->superblock.slab_bytes / kBlockBytes;
  DiskFile* slab = Slab(run.first / blocks_per_slab);
  std::uint64_t offset_bytes = run.first % blocks_per_slab * kBlockBytes;
  Result<Slice> bytes = co_await slab->ReadAt(offset_bytes, run.count * kBlockBytes);
  if (!bytes && bytes.error().code() == ErrorCode::kIo) {
    bool too_many = false;
    {
      std::lock_guard lock(mutex_);
      too_many = ++read_errors_ >= kReadErrorsMax;
    }
    LogWarning("store {}: {}", name_, bytes.error().ToString());
    if (too_many) GoOffline(bytes.error());
  }
  co_return bytes;
}

Task<Result<void>> StoreCore::WriteBlocks(BlockRun run, Payload payload) {
  CHECK(payload.size() == run.count * kBlockBytes);
  std::uint64_t blocks_per_slab = state_->superblock.slab_bytes / kBlockBytes;
  DiskFile* slab = Slab(run.first / blocks_per_slab);
  std::uint64_t offset_bytes = run.first % blocks_per_slab * kBlockBytes;
  Result<void> written = co_await slab->WriteAt(offset_bytes, std::move(payload));
  if (written) co_return written;
  if (written.error().code() != ErrorCode::kNoSpace) {
    GoOffline(written.error());
  } else {
    // Something else has taken what the last look found free.
    Result<void> refreshed = co_await RefreshSpace();
    if (!refreshed) co_return refreshed;
  }
  co_return written;
}

Task<Result<Slice>> StoreCore::ReadVerified(BlockEntry block) {
  BlockRun run{block.address, 1};
  Result<Slice> bytes = co_await ReadBlocks(run);
  if (!bytes) co_return bytes.error();
  if (ChecksumOf(bytes->span()) != block.checksum) {
    LogError("store {}: block {} does not fit its checksum; the disk returned bytes that were not written", name_,
             block.address);
    co_return Error(ErrorCode::kCorrupt, "a stored block does not fit its checksum");
  }
  co_return bytes;
}

Task<Result<void>> StoreCore::Commit(IndexChange change, Reservation reservation) {
  for (int attempt = 0; attempt < kLoadAttemptsMax; ++attempt) {
    MissingKey missing;
    Result<CommitSeq> committed = [&]() -> Result<CommitSeq> {
      std::lock_guard lock(mutex_);
      if (offline_) return Error(ErrorCode::kUnavailable, "store " + name_ + " is offline: " + offline_->message());
      return state_->Commit(change, reservation.runs(), missing);
    }();
    if (committed) {
      reservation.Committed();
      co_return Result<void>();
    }
    if (committed.error().code() != ErrorCode::kWouldBlock) {
      ErrorCode code = committed.error().code();
      if (code == ErrorCode::kIo || code == ErrorCode::kNoSpace) {
        // The allocator may have moved on already; in a store that is offline it does not matter.
        GoOffline(committed.error());
        reservation.Committed();
      }
      co_return committed.error();
    }
    Result<void> loaded = co_await index_.Load(missing.key);
    if (!loaded) co_return loaded.error();
  }
  co_return LoadGaveUp();
}

Task<void> StoreCore::WaitForRoom() {
  std::size_t pending = 0;
  bool start_early = false;
  {
    std::lock_guard lock(mutex_);
    pending = state_->pending.size();
    start_early = !early_upkeep_ && (pending >= options_.pending_pages_max / 2 || InlineIsHalfFullLocked());
    if (start_early) early_upkeep_ = true;
  }
  if (start_early) {
    Executor executor = co_await asio::this_coro::executor;
    tasks_.Spawn(executor, EarlyUpkeep());
  }
  while (pending >= options_.pending_pages_max && CheckOnline()) {
    Result<void> synced = co_await Sync();
    if (!synced) co_return;
    co_await EndDurableGenerations();
    std::lock_guard lock(mutex_);
    pending = state_->pending.size();
  }
}

bool StoreCore::InlineRoom(std::size_t count, bool even_if_full) const {
  std::lock_guard lock(mutex_);
  std::size_t blocks = state_->inlined.size() + count;
  return blocks <= options_.inline_blocks_max &&
         (even_if_full || blocks * kBlockBytes <= SpendableLocked(Purpose::kOrdinary));
}

StoreCore::Usage StoreCore::usage() const {
  std::lock_guard lock(mutex_);
  Usage usage;
  if (state_ == nullptr) return usage;
  usage.used_bytes = state_->allocator.allocated_blocks() * kBlockBytes;
  usage.capacity_bytes = usage.used_bytes + SpendableLocked(Purpose::kOrdinary);
  usage.chunks = state_->chunk_count;
  return usage;
}

std::uint64_t StoreCore::store_id() const {
  return state_->superblock.store_id;
}

std::vector<std::uint64_t> StoreCore::siblings() const {
  std::lock_guard lock(mutex_);
  return state_->superblock.siblings;
}

Task<Result<void>> StoreCore::SetSiblings(std::vector<std::uint64_t> siblings) {
  return ChangeSuperblock([siblings = std::move(siblings)](Superblock& superblock) { superblock.siblings = siblings; });
}

Task<Result<void>> StoreCore::ForgetLoss() {
  return ChangeSuperblock([boot_id = disk_.boot_id()](Superblock& superblock) { superblock.boot_id = boot_id; });
}

Task<Result<void>> StoreCore::ChangeSuperblock(std::function<void(Superblock&)> change) {
  Result<CommitSeq> applied = [&] {
    std::lock_guard lock(mutex_);
    change(state_->superblock);
    WriteBatch batch;
    batch.Put(SuperblockKey(), EncodeSuperblock(state_->superblock));
    return index_.Apply(batch);
  }();
  if (!applied) co_return Checked(applied.error());
  co_return co_await SyncIndex();
}

}  // namespace gabion
