#include "chunkserver/replication/store_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/base/log.h"

namespace gabion {
namespace {

std::uint64_t FreeBytes(const ExtentStore& store) {
  StoreCore::Usage usage = store.core().usage();
  return usage.capacity_bytes - usage.used_bytes;
}

}  // namespace

StoreSet::StoreSet(Env& env, std::vector<DiskSeat> seats, std::vector<LostSeat> lost, StoreOptions options)
    : lost_(std::move(lost)) {
  for (DiskSeat& seat : seats) {
    auto store = std::make_unique<ExtentStore>(env, seat.disk, seat.index, seat.path, options);
    seats_.push_back({std::move(seat.path), std::move(store), std::nullopt});
  }
}

Task<Result<void>> StoreSet::Open(StoreHistory history) {
  give_up_missing_ = history.give_up_missing;
  for (Seat& seat : seats_) {
    Result<void> opened = co_await seat.store->Open();
    if (opened) {
      opened_.push_back(seat.store.get());
      continue;
    }
    seat.open_error = opened.error();
    LogError("the store in {} does not open: {}", seat.path, opened.error().ToString());
  }
  for (const LostSeat& seat : lost_) LogError("the store in {} is lost: {}", seat.path, seat.why.ToString());
  if (opened_.empty() && !LostPaths().empty()) co_return Result<void>();
  if (opened_.empty()) {
    std::string why = seats_.empty() ? "no disk is given" : seats_.front().open_error->ToString();
    co_return Error(ErrorCode::kIo, "none of this server's stores opens: " + why);
  }
  co_return co_await MeetSiblings(history);
}

Task<Result<void>> StoreSet::MeetSiblings(StoreHistory history) {
  std::set<std::uint64_t> known;
  std::set<std::uint64_t> here;
  for (const ExtentStore* store : opened_) {
    for (std::uint64_t sibling : store->core().siblings()) known.insert(sibling);
    here.insert(store->core().store_id());
  }
  if (history.forget_missing) known = here;
  if (known.empty() && history.had_data) {
    missing_.push_back("all stores of before");
    LogError(
        "this chunkserver has stored chunks before, and now all its disks are empty: chunks that it should have are "
        "unavailable here. Bring its disks back, or start it with --give-up-missing-disks");
  }
  for (std::uint64_t id : known) {
    if (here.contains(id)) continue;
    missing_.push_back(fmt::format("store {:016x}", id));
    LogError(
        "{} of this chunkserver is missing: its chunks are unavailable here until its disk is back, or this server "
        "is started with --give-up-missing-disks",
        missing_.back());
  }
  known.insert(here.begin(), here.end());
  std::vector<std::uint64_t> siblings(known.begin(), known.end());
  bool any = false;
  for (ExtentStore* store : opened_) {
    std::vector<std::uint64_t> copy = siblings;
    Result<void> recorded = co_await store->core().SetSiblings(std::move(copy));
    any |= recorded.has_value();
  }
  if (!any) co_return Error(ErrorCode::kIo, "none of this server's stores can be written to");
  co_return Result<void>();
}

Task<void> StoreSet::Stop() {
  for (Seat& seat : seats_) co_await seat.store->Stop();
}

bool StoreSet::IsLost() const {
  return (give_up_missing_ && !missing_.empty()) || !LostPaths().empty();
}

std::vector<std::string> StoreSet::LostPaths() const {
  std::vector<std::string> paths;
  for (const LostSeat& seat : lost_) paths.push_back(seat.path);
  for (const Seat& seat : seats_) {
    const bool does_not_open = seat.open_error && seat.open_error->code() == ErrorCode::kCorrupt;
    if (does_not_open || (!seat.open_error && seat.store->core().damage())) paths.push_back(seat.path);
  }
  return paths;
}

Result<void> StoreSet::CheckNoneLost() const {
  if (!missing_.empty()) return Error(ErrorCode::kUnavailable, missing_.front() + " of this chunkserver is missing");
  const std::vector<std::string> lost = LostPaths();
  if (!lost.empty()) return Error(ErrorCode::kUnavailable, "the store in " + lost.front() + " is lost");
  return {};
}

Result<void> StoreSet::CheckComplete() const {
  TRY(CheckNoneLost());
  for (const ExtentStore* store : opened_) TRY(store->core().CheckOnline());
  return {};
}

Result<ExtentStore*> StoreSet::Absent(ChunkId chunk) const {
  const Result<void> here = CheckNoneLost();
  if (here) return nullptr;
  return Error(ErrorCode::kUnavailable, fmt::format("chunk {} is not on the disks that are here, but {}", chunk.value(),
                                                    here.error().message()));
}

Task<Result<ExtentStore*>> StoreSet::Find(ChunkId chunk) {
  if (ExtentStore* only = OnlyStore()) co_return only;
  std::optional<Error> unknown;
  for (ExtentStore* store : opened_) {
    Result<std::optional<ChunkRecord>> record = co_await store->Find(chunk);
    if (record && record->has_value()) co_return store;
    // The index of a store whose slabs failed may still answer; only if it does not, the chunk may be there.
    if (!record) unknown = record.error();
  }
  if (unknown) {
    co_return Error(ErrorCode::kUnavailable,
                    fmt::format("chunk {} may be on a disk that fails: {}", chunk.value(), unknown->message()));
  }
  co_return Absent(chunk);
}

Task<Result<StoreSet::Place>> StoreSet::FindOrChoose(Env& env, ChunkId chunk, ExtentStore* preferred) {
  Place place;
  Result<ExtentStore*> found = co_await Find(chunk);
  if (!found) co_return found.error();
  if (*found == nullptr) {
    place.choosing = co_await choosing_.Lock(chunk, PageRange::WholeChunk());
    found = co_await Find(chunk);  // somebody may have been first
    if (!found) co_return found.error();
  }
  place.store = *found;
  if (place.store == nullptr) {
    place.store = Choose(env, preferred);
  } else {
    place.choosing = RangeLocks::Guard();
  }
  co_return place;
}

/// By free space: a disk with twice as much gets twice as many chunks, so that all fill up at the same time.
ExtentStore* StoreSet::Choose(Env& env, ExtentStore* preferred) const {
  if (preferred != nullptr && preferred->core().has_space()) return preferred;
  std::uint64_t total = 0;
  ExtentStore* chosen = opened_.front();
  for (ExtentStore* store : opened_) {
    if (!store->core().has_space()) continue;
    std::uint64_t weight = FreeBytes(*store) / kBlockBytes;
    total += weight;
    if (total > 0 && env.random.Below(total) < weight) chosen = store;
  }
  if (total > 0) return chosen;
  // All are full: the first one that works says so.
  for (ExtentStore* store : opened_) {
    if (store->core().CheckOnline()) return store;
  }
  return chosen;
}

Task<Result<std::vector<ExtentStore*>>> StoreSet::FindAll(std::vector<ChunkId> chunks) {
  std::vector<ExtentStore*> stores;
  if (ExtentStore* only = OnlyStore()) {
    stores.push_back(only);
    co_return stores;
  }
  for (ChunkId chunk : chunks) {
    Result<ExtentStore*> store = co_await Find(chunk);
    if (!store) co_return store.error();
    if (*store != nullptr && std::find(stores.begin(), stores.end(), *store) == stores.end()) stores.push_back(*store);
  }
  co_return stores;
}

Task<Result<ChunkPage>> StoreSet::List(ListQuery query) {
  CO_TRY(CheckComplete());
  ChunkPage merged;
  merged.end = true;
  for (ExtentStore* store : opened_) {
    Result<ChunkPage> page = co_await store->List(query);
    if (!page) co_return page.error();
    merged.end = merged.end && page->end;
    merged.chunks.insert(merged.chunks.end(), page->chunks.begin(), page->chunks.end());
  }
  auto by_id = [](const ChunkSummary& a, const ChunkSummary& b) { return a.chunk < b.chunk; };
  std::sort(merged.chunks.begin(), merged.chunks.end(), by_id);
  if (merged.chunks.size() > query.max_entries) {
    merged.chunks.resize(query.max_entries);
    merged.end = false;
  }
  co_return merged;
}

Task<Result<ListedChunks>> StoreSet::ListStored(ChunkId after, std::size_t max_entries) {
  CO_TRY(CheckComplete());
  ListedChunks merged;
  merged.end = true;
  for (ExtentStore* store : opened_) {
    Result<ListedChunks> page = co_await store->ListStored(after, max_entries);
    if (!page) co_return page.error();
    merged.end = merged.end && page->end;
    merged.chunks.insert(merged.chunks.end(), page->chunks.begin(), page->chunks.end());
  }
  std::sort(merged.chunks.begin(), merged.chunks.end(),
            [](const ListedChunk& a, const ListedChunk& b) { return a.chunk < b.chunk; });
  if (merged.chunks.size() > max_entries) {
    merged.chunks.resize(max_entries);
    merged.end = false;
  }
  co_return merged;
}

Task<Result<ChunkDigest>> StoreSet::Digest(ChunkId chunk, std::uint32_t first_page, std::uint32_t page_count) {
  Result<ExtentStore*> store = co_await Find(chunk);
  if (!store) co_return store.error();
  if (*store == nullptr) co_return ChunkDigest();
  co_return co_await (*store)->Digest(chunk, first_page, page_count);
}

Task<Result<void>> StoreSet::Adopt(Env& env, AdoptChunk adopted) {
  if (!adopted.exists) {
    Result<ExtentStore*> store = co_await Find(adopted.chunk);
    if (!store) co_return store.error();
    if (*store == nullptr) co_return Result<void>();
    co_return co_await (*store)->Adopt(adopted);
  }
  Result<Place> place = co_await FindOrChoose(env, adopted.chunk);
  if (!place) co_return place.error();
  co_return co_await place->store->Adopt(adopted);
}

Task<Result<void>> StoreSet::ClearUnsettled(PgId pg, std::vector<ChunkId> chunks) {
  for (ExtentStore* store : opened_) {
    Result<void> cleared = co_await store->ClearUnsettled(pg, chunks);
    if (!cleared) co_return cleared;
  }
  co_return Result<void>();
}

bool StoreSet::IsUnsettled(PgId pg, ChunkId chunk) const {
  return std::any_of(opened_.begin(), opened_.end(),
                     [&](const ExtentStore* store) { return store->IsUnsettled(pg, chunk); });
}

std::vector<ChunkId> StoreSet::FindUnsettled(PgId pg, std::size_t count) const {
  std::vector<ChunkId> found;
  for (const ExtentStore* store : opened_) {
    std::vector<ChunkId> here = store->core().FindUnsettled(pg, ChunkId(), count - found.size());
    found.insert(found.end(), here.begin(), here.end());
  }
  return found;
}

Task<Result<void>> StoreSet::Sync() {
  CO_TRY(CheckComplete());
  for (ExtentStore* store : opened_) {
    Result<void> synced = co_await store->Sync();
    if (!synced) co_return synced;
  }
  co_return Result<void>();
}

bool StoreSet::lost_unsynced() const {
  return std::any_of(opened_.begin(), opened_.end(),
                     [](const ExtentStore* store) { return store->core().lost_unsynced(); });
}

Task<void> StoreSet::ForgetLoss() {
  for (ExtentStore* store : opened_) {
    if (!store->core().lost_unsynced()) continue;
    Result<void> forgotten = co_await store->core().ForgetLoss();
    if (!forgotten) LogWarning("store {}: {}", store->core().name(), forgotten.error().ToString());
  }
}

std::vector<proto::DiskReport> StoreSet::Reports() const {
  std::vector<proto::DiskReport> reports;
  for (const Seat& seat : seats_) {
    proto::DiskReport& report = reports.emplace_back();
    report.set_path(seat.path);
    std::optional<std::string> reason =
        seat.open_error ? seat.open_error->ToString() : seat.store->core().offline_reason();
    report.set_online(!reason.has_value());
    if (reason) {
      report.set_error(*reason);
      continue;
    }
    StoreCore::Usage usage = seat.store->core().usage();
    report.set_capacity_bytes(usage.capacity_bytes);
    report.set_used_bytes(usage.used_bytes);
    report.set_chunks(usage.chunks);
  }
  for (const LostSeat& seat : lost_) {
    proto::DiskReport& report = reports.emplace_back();
    report.set_path(seat.path);
    report.set_error(seat.why.ToString());
  }
  for (const std::string& name : missing_) {
    proto::DiskReport& report = reports.emplace_back();
    report.set_path(name);
    report.set_error("it belongs to this server, and is not among the disks that opened");
  }
  return reports;
}

}  // namespace gabion
