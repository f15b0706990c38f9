// ExtentStore::Trim and Remove.
#include "chunkserver/store/chunk_cut.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
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
    std::uint64_t begin = CutStepBegin(now.length_bytes, trim.length_bytes);
    PageRange step_range = PagesBetween(begin, now.length_bytes);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core_, trim.chunk, step_range);
    if (!edit) co_return edit.error();
    done = begin == trim.length_bytes;
    ChunkChange change;
    change.chunk = trim.chunk;
    change.pg = trim.pg;
    change.epoch = trim.epoch;
    change.unsettled = true;
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
  co_return co_await RemoveLocked(core_, chunk, true);
}

}  // namespace gabion
