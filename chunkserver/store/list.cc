// ExtentStore::List, ListStored and Groups.
#include <set>

#include "chunkserver/store/block_checksums.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

// The smallest ids after `after`, of those added; one more than asked for, which tells that there are more.
class SmallestChunks {
 public:
  SmallestChunks(ChunkId after, std::size_t count) : after_(after), count_(count) {}

  void Add(ChunkId chunk) {
    if (chunk <= after_) return;
    chunks_.insert(chunk);
    if (chunks_.size() > count_) chunks_.erase(std::prev(chunks_.end()));
  }
  const std::set<ChunkId>& chunks() const { return chunks_; }

 private:
  const ChunkId after_;
  const std::size_t count_;
  std::set<ChunkId> chunks_;
};

Task<Result<ChunkSummary>> Summarise(StoreCore& core, ChunkId chunk) {
  Result<std::optional<ChunkRecord>> record = co_await core.FindChunk(chunk);
  if (!record) co_return record.error();
  ChunkSummary summary;
  summary.chunk = chunk;
  if (!record->has_value()) co_return summary;
  summary.exists = true;
  summary.length_bytes = (*record)->length_bytes;
  summary.trim_generation = (*record)->trim_generation;
  PageRange whole = PageRange::WholeChunk();
  Result<std::vector<BlockChecksum>> checksums = co_await FindChecksums(core, chunk, whole, summary.length_bytes);
  if (!checksums) co_return checksums.error();
  summary.digest = DigestOf(*checksums);
  co_return summary;
}

}  // namespace

Task<Result<ChunkPage>> ExtentStore::List(ListQuery query) {
  if (query.max_entries == 0 || query.max_entries > kListEntriesMax) {
    co_return Error(ErrorCode::kInvalidArgument, "a list of " + std::to_string(query.max_entries) + " chunks");
  }
  CO_TRY(core_.CheckOnline());
  SmallestChunks smallest(query.after, query.max_entries + 1);
  if (query.by_epoch) {
    std::function<void(ChunkId)> add = [&](ChunkId chunk) { smallest.Add(chunk); };
    Result<void> scanned = co_await core_.ScanGroup(query.pg, query.after_epoch, add);
    if (!scanned) co_return scanned.error();
  }
  // After the scan: a chunk that has changed since is in here.
  if (query.unsettled) {
    for (ChunkId chunk : core_.FindUnsettled(query.pg, query.after, query.max_entries + 1)) smallest.Add(chunk);
  }
  ChunkPage page;
  page.end = smallest.chunks().size() <= query.max_entries;
  for (ChunkId chunk : smallest.chunks()) {
    if (page.chunks.size() == query.max_entries) break;
    Result<ChunkSummary> summary = co_await Summarise(core_, chunk);
    if (!summary) co_return summary.error();
    page.chunks.push_back(*summary);
  }
  co_return page;
}

Task<Result<ListedChunks>> ExtentStore::ListStored(ChunkId after, std::size_t max_entries) {
  if (max_entries == 0 || max_entries > kListEntriesMax) {
    co_return Error(ErrorCode::kInvalidArgument, "a list of " + std::to_string(max_entries) + " chunks");
  }
  CO_TRY(core_.CheckOnline());
  ListedChunks page;
  // One more than asked for tells that there are more.
  std::function<bool(ChunkId, const ChunkRecord&)> add = [&](ChunkId chunk, const ChunkRecord& record) {
    page.chunks.push_back({chunk, record.pg});
    return page.chunks.size() <= max_entries;
  };
  Result<void> scanned = co_await core_.ScanChunks(after, add);
  if (!scanned) co_return scanned.error();
  page.end = page.chunks.size() <= max_entries;
  if (!page.end) page.chunks.resize(max_entries);
  co_return page;
}

Task<Result<std::vector<PgId>>> ExtentStore::Groups() {
  CO_TRY(core_.CheckOnline());
  co_return co_await core_.FindGroups();
}

}  // namespace gabion
