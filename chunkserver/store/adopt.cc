// ExtentStore::Adopt and ClearUnsettled: what the primary of a group says of its members' chunks.
#include "chunkserver/store/chunk_cut.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

// Makes the chunk, whose lock the caller holds, what it is to be; in steps if much of it goes.
Task<Result<void>> AdoptLocked(StoreCore& core, AdoptChunk adopt) {
  for (bool done = false; !done;) {
    Result<std::optional<ChunkRecord>> record = co_await core.FindChunk(adopt.chunk);
    if (!record) co_return record.error();
    std::uint32_t length_bytes = record->value_or(ChunkRecord()).length_bytes;
    std::uint64_t begin = CutStepBegin(length_bytes, adopt.length_bytes);
    PageRange step_range = PagesBetween(begin, length_bytes);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core, adopt.chunk, step_range);
    if (!edit) co_return edit.error();
    done = begin == adopt.length_bytes;
    ChunkChange change;
    change.chunk = adopt.chunk;
    change.pg = adopt.pg;
    change.epoch = adopt.epoch;
    change.unsettled = adopt.unsettled;
    if (done) {
      change.grow_to_bytes = adopt.length_bytes;
      change.adopt_trim_generation = adopt.trim_generation;
    }
    Result<void> cut = co_await CommitCut(*edit, begin, change, Purpose::kLastResort);
    if (!cut) co_return cut;
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> ExtentStore::Adopt(AdoptChunk adopt) {
  if (adopt.length_bytes > kChunkBytes) {
    co_return Error(ErrorCode::kInvalidArgument, "a chunk is to have " + std::to_string(adopt.length_bytes) +
                                                     " bytes, which is more than a chunk has");
  }
  CO_TRY(core_.CheckOnline());
  RangeLocks::Guard guard = co_await core_.locks().Lock(adopt.chunk, PageRange::WholeChunk());
  if (!adopt.exists) co_return co_await RemoveLocked(core_, adopt.chunk, !adopt.may_return);
  co_return co_await AdoptLocked(core_, adopt);
}

Task<Result<void>> ExtentStore::ClearUnsettled(PgId pg, std::vector<ChunkId> chunks) {
  co_return co_await core_.ClearUnsettled(pg, std::move(chunks));
}

}  // namespace gabion
