#include "chunkserver/store/chunk_cut.h"

#include <algorithm>

#include "common/env/mutate.h"

namespace gabion {

std::uint64_t CutStepBegin(std::uint64_t length_bytes, std::uint64_t down_to_bytes) {
  std::uint64_t end_bytes = RoundUp(length_bytes, kPageBytes);
  return end_bytes > down_to_bytes + kStepBytes ? end_bytes - kStepBytes : down_to_bytes;
}

PageRange PagesBetween(std::uint64_t begin_bytes, std::uint64_t end_bytes) {
  std::uint64_t first = std::min(begin_bytes, kChunkBytes - 1);
  return PageRange::Covering(first, std::max(end_bytes, first + 1) - first);
}

Task<Result<void>> CommitCut(ChunkEdit& edit, std::uint64_t begin_bytes, ChunkChange change, Purpose purpose) {
  std::uint64_t end_bytes = RoundUp(edit.length_bytes(), kBlockBytes);
  if (begin_bytes < end_bytes) {
    Result<void> put = co_await edit.PutZeros(begin_bytes, end_bytes - begin_bytes);
    if (!put) co_return put;
  }
  change.cut_to_bytes = static_cast<std::uint32_t>(begin_bytes);
  // What is left of a block goes into the index, so that chunks on a full disk can be cut.
  co_return co_await edit.Commit(change, ChunkEdit::Place::kIndexEvenIfFull, purpose);
}

Task<Result<void>> RemoveLocked(StoreCore& core, ChunkId chunk, bool leave_tombstone) {
  for (bool done = false; !done;) {
    Result<std::optional<ChunkRecord>> record = co_await core.FindChunk(chunk);
    if (!record) co_return record.error();
    std::uint32_t length_bytes = record->value_or(ChunkRecord()).length_bytes;
    std::uint64_t begin = CutStepBegin(length_bytes, 0);
    PageRange step_range = PagesBetween(begin, length_bytes);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core, chunk, step_range);
    if (!edit) co_return edit.error();
    done = begin == 0;
    ChunkChange change;
    change.chunk = chunk;
    change.remove = done;
    if (leave_tombstone && !Mutated("chunk.no_tombstone")) change.tombstone_ns = core.WallNowNs();
    Result<void> cut = co_await CommitCut(*edit, begin, change);
    if (!cut) co_return cut;
  }
  co_return Result<void>();
}

}  // namespace gabion
