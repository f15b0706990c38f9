// ExtentStore::Trim and Remove: a chunk is cut from its end, so that what is left between two steps is a shorter chunk.
#include <algorithm>

#include "chunkserver/store/chunk_edit.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

// Commits `edit` without the bytes of [begin_bytes, end).
Task<Result<void>> CommitCut(ChunkEdit& edit, std::uint64_t begin_bytes, ChunkChange change) {
  std::uint64_t end_bytes = RoundUp(edit.length_bytes(), kBlockBytes);
  if (begin_bytes < end_bytes) {
    Result<void> put = co_await edit.PutZeros(begin_bytes, end_bytes - begin_bytes);
    if (!put) co_return put;
  }
  change.cut_to_bytes = static_cast<std::uint32_t>(begin_bytes);
  // What is left of a block goes into the index, so that chunks on a full disk can be cut.
  co_return co_await edit.Commit(change, ChunkEdit::Place::kIndexEvenIfFull);
}

// The last pages of a chunk of `length_bytes` that are cut in one step, but none before `down_to_bytes`.
std::uint64_t StepBegin(std::uint64_t length_bytes, std::uint64_t down_to_bytes) {
  std::uint64_t end_bytes = RoundUp(length_bytes, kPageBytes);
  return end_bytes > down_to_bytes + kStepBytes ? end_bytes - kStepBytes : down_to_bytes;
}

PageRange PagesBetween(std::uint64_t begin_bytes, std::uint64_t end_bytes) {
  std::uint64_t first = std::min(begin_bytes, kChunkBytes - 1);
  return PageRange::Covering(first, std::max(end_bytes, first + 1) - first);
}

}  // namespace

Task<Result<void>> ExtentStore::Trim(ChunkTrim trim) {
  if (trim.length_bytes > kChunkBytes) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "a trim to " + std::to_string(trim.length_bytes) + " bytes, which is more than a chunk has");
  }
  CO_TRY(core_.CheckOnline());
  PageRange range = PagesBetween(trim.length_bytes, kChunkBytes);
  RangeLocks::Guard guard = co_await core_.locks().Lock(trim.chunk, range);
  bool in_index_only = true;
  for (bool done = false; !done;) {
    Result<std::optional<ChunkRecord>> record = co_await core_.FindChunk(trim.chunk);
    if (!record) co_return record.error();
    ChunkRecord now = record->value_or(ChunkRecord());
    if (record->has_value() && trim.generation <= now.trim_generation) break;
    std::uint64_t begin = StepBegin(now.length_bytes, trim.length_bytes);
    PageRange step_range = PagesBetween(begin, now.length_bytes);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core_, trim.chunk, step_range);
    if (!edit) co_return edit.error();
    done = begin == trim.length_bytes;
    ChunkChange change;
    change.chunk = trim.chunk;
    change.pg = trim.pg;
    change.epoch = trim.epoch;
    if (done) change.trim_generation = trim.generation;
    Result<void> cut = co_await CommitCut(*edit, begin, change);
    if (!cut) co_return cut;
    in_index_only = in_index_only && edit->in_index_only();
  }
  // Also if it was done before: that need not be durable yet.
  co_return co_await core_.MakeDurable(in_index_only);
}

Task<Result<void>> ExtentStore::Remove(ChunkId chunk) {
  CO_TRY(core_.CheckOnline());
  RangeLocks::Guard guard = co_await core_.locks().Lock(chunk, PageRange::WholeChunk());
  for (bool done = false; !done;) {
    Result<std::optional<ChunkRecord>> record = co_await core_.FindChunk(chunk);
    if (!record) co_return record.error();
    if (!record->has_value()) co_return Result<void>();
    std::uint64_t begin = StepBegin((*record)->length_bytes, 0);
    PageRange step_range = PagesBetween(begin, (*record)->length_bytes);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core_, chunk, step_range);
    if (!edit) co_return edit.error();
    done = begin == 0;
    ChunkChange change;
    change.chunk = chunk;
    change.remove = done;
    Result<void> cut = co_await CommitCut(*edit, begin, change);
    if (!cut) co_return cut;
  }
  co_return Result<void>();
}

}  // namespace gabion
