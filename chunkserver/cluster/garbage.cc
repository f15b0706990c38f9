#include "chunkserver/cluster/garbage.h"

#include <algorithm>

#include "common/base/log.h"

namespace gabion {

void Garbage::Take(std::vector<ChunkId> chunks) {
  if (chunks.empty() || busy_ || stopping_ || !removed_.empty()) return;
  if (chunks.size() > kBatchMax) chunks.resize(kBatchMax);
  if (env_.Buggified("chunk.short_garbage")) chunks.resize(1);
  busy_ = true;
  tasks_.Spawn(env_.executor, Remove(std::move(chunks)));
}

void Garbage::Reported(std::size_t count) {
  removed_.erase(removed_.begin(), removed_.begin() + static_cast<std::ptrdiff_t>(std::min(count, removed_.size())));
}

Task<Result<void>> Garbage::RemoveOne(ChunkId chunk, std::vector<ExtentStore*>& touched) {
  Result<ExtentStore*> store = co_await stores_.Find(chunk);
  if (!store) co_return store.error();
  // From all of them, also if it was never here: a late write is not to make it anew, on whichever disk.
  for (ExtentStore* each : stores_.opened()) {
    if (each != *store && !each->core().CheckOnline()) continue;
    Result<void> removed = co_await each->Remove(chunk);
    if (!removed) co_return removed;
    if (std::find(touched.begin(), touched.end(), each) == touched.end()) touched.push_back(each);
  }
  co_return Result<void>();
}

Task<void> Garbage::Remove(std::vector<ChunkId> chunks) {
  std::vector<ChunkId> gone;
  std::vector<ExtentStore*> touched;
  std::optional<Error> failure;
  for (ChunkId chunk : chunks) {
    if (stopping_) break;
    Result<void> removed = co_await RemoveOne(chunk, touched);
    if (removed) {
      gone.push_back(chunk);
    } else {
      failure = removed.error();
    }
  }
  bool durable = true;
  for (ExtentStore* store : touched) {
    Result<void> synced = co_await store->Sync();
    if (synced) continue;
    durable = false;
    failure = synced.error();
  }
  // A batch whose removals may come back with a power loss is done again.
  if (durable) removed_ = std::move(gone);
  if (failure) LogWarning("some garbage chunks are not removed yet: {}", failure->ToString());
  busy_ = false;
}

Task<void> Garbage::Stop() {
  stopping_ = true;
  co_await tasks_.Join();
}

}  // namespace gabion
