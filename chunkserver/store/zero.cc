// ExtentStore::Zero.
#include <algorithm>

#include "chunkserver/store/chunk_edit.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {

Task<Result<void>> ExtentStore::Zero(ChunkZero zero) {
  CO_TRY(CheckChunkRange("zeroing", zero.offset_bytes, zero.length_bytes));
  CO_TRY(core_.CheckOnline());
  std::uint64_t end_bytes = zero.offset_bytes + std::uint64_t{zero.length_bytes};
  for (std::uint64_t at = zero.offset_bytes; at < end_bytes;) {
    std::uint64_t step_end = std::min(end_bytes, RoundDown(at, kPageBytes) + kStepBytes);
    co_await core_.WaitForRoom();
    PageRange range = PageRange::Covering(at, step_end - at);
    RangeLocks::Guard guard = co_await core_.locks().Lock(zero.chunk, range);
    Result<ChunkEdit> edit = co_await ChunkEdit::Load(core_, zero.chunk, range);
    if (!edit) co_return edit.error();
    // Nothing lies beyond the end, and a chunk that is not there is all zeros.
    std::uint64_t put_end = std::min(step_end, RoundUp(edit->length_bytes(), kBlockBytes));
    if (at >= put_end) co_return Result<void>();
    Result<void> put = co_await edit->PutZeros(at, put_end - at);
    if (!put) co_return put;
    ChunkChange change;
    change.chunk = zero.chunk;
    change.pg = zero.pg;
    change.epoch = zero.epoch;
    change.unsettled = !zero.resync;
    Purpose purpose = zero.may_spend_reserve ? Purpose::kLastResort : Purpose::kOrdinary;
    Result<void> committed = co_await edit->Commit(change, ChunkEdit::Place::kSlabs, purpose);
    if (!committed) co_return committed;
    at = step_end;
  }
  co_return Result<void>();
}

}  // namespace gabion
