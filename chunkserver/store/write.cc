// ExtentStore::Write: new bytes go to free blocks, or, if they are few and must be durable at once, into the index
// itself.
#include "chunkserver/store/chunk_edit.h"
#include "chunkserver/store/extent_store.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

Result<void> CheckWrite(const ChunkWrite& write, const Slice& bytes) {
  if (bytes.empty() || bytes.size() > kMaxPayloadBytes || write.offset_bytes > kChunkBytes - bytes.size()) {
    return Error(ErrorCode::kInvalidArgument, "a write of " + std::to_string(bytes.size()) + " bytes at " +
                                                  std::to_string(write.offset_bytes) + " does not fit a chunk");
  }
  if (PieceChecksums(write.offset_bytes, bytes.span()) != write.checksums) {
    return Error(ErrorCode::kCorrupt, "the bytes of a write do not fit its checksums: they were damaged on the way");
  }
  return {};
}

}  // namespace

Task<Result<void>> ExtentStore::Write(ChunkWrite write) {
  Slice bytes = write.payload.Joined();
  CO_TRY(CheckWrite(write, bytes));
  CO_TRY(core_.CheckOnline());
  co_await core_.WaitForRoom();
  PageRange range = PageRange::Covering(write.offset_bytes, bytes.size());
  RangeLocks::Guard guard = co_await core_.locks().Lock(write.chunk, range);

  Result<ChunkEdit> edit = co_await ChunkEdit::Load(core_, write.chunk, range);
  if (!edit) co_return edit.error();
  Result<void> put = co_await edit->PutBytes(write.offset_bytes, bytes, std::move(write.checksums));
  if (!put) co_return put;
  ChunkChange change;
  change.chunk = write.chunk;
  change.pg = write.pg;
  change.epoch = write.epoch;
  if (!write.keeps_length) change.grow_to_bytes = static_cast<std::uint32_t>(write.offset_bytes + bytes.size());
  change.unsettled = !write.resync && !Mutated("chunk.write_settled");
  bool to_index = write.sync && bytes.size() <= core_.options().inline_write_bytes_max;
  ChunkEdit::Place place = to_index ? ChunkEdit::Place::kIndex : ChunkEdit::Place::kSlabs;
  Purpose purpose = write.may_spend_reserve ? Purpose::kLastResort : Purpose::kOrdinary;
  Result<void> committed = co_await edit->Commit(change, place, purpose);
  if (!committed || !write.sync) co_return committed;

  RangeLocks::Guard unlocked = std::move(guard);
  unlocked = RangeLocks::Guard();  // who overlaps need not wait for the disk
  co_return co_await core_.MakeDurable(edit->in_index_only());
}

}  // namespace gabion
