// ExtentStore::Copy: blocks that lie alike in both chunks are shared, everything else is copied.
#include <algorithm>
#include <cstring>

#include "chunkserver/store/chunk_edit.h"
#include "chunkserver/store/extent_store.h"

namespace gabion {
namespace {

// One step of a copy.
struct Span {
  std::uint64_t source_bytes = 0;
  std::uint64_t target_bytes = 0;
  std::uint64_t length_bytes = 0;
};

struct Locked {
  PageRange source_range;
  PageRange target_range;
  RangeLocks::Guard first;
  RangeLocks::Guard second;
};

Task<Locked> LockBoth(RangeLocks& locks, ChunkId source, ChunkId target, Span span) {
  Locked locked;
  locked.source_range = PageRange::Covering(span.source_bytes, span.length_bytes);
  locked.target_range = PageRange::Covering(span.target_bytes, span.length_bytes);
  if (source == target) {
    // The ranges may meet in a page.
    PageRange both{std::min(locked.source_range.first, locked.target_range.first),
                   std::max(locked.source_range.last, locked.target_range.last)};
    locked.first = co_await locks.Lock(source, both);
    co_return locked;
  }
  bool source_first = source < target;
  locked.first =
      co_await locks.Lock(source_first ? source : target, source_first ? locked.source_range : locked.target_range);
  locked.second =
      co_await locks.Lock(source_first ? target : source, source_first ? locked.target_range : locked.source_range);
  co_return locked;
}

// The source's bytes, wherever they are; zeros where it has none.
Task<Result<Slice>> ReadSource(ChunkEdit& source, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  MutableBuffer bytes(length_bytes);
  for (std::size_t at = 0; at < length_bytes;) {
    std::uint16_t block = static_cast<std::uint16_t>((offset_bytes + at) / kBlockBytes);
    std::size_t in_block = (offset_bytes + at) % kBlockBytes;
    std::size_t length = std::min<std::size_t>(length_bytes - at, kBlockBytes - in_block);
    Result<Slice> stored = co_await source.CurrentBlock(block);
    if (!stored) co_return stored.error();
    std::memcpy(bytes.data() + at, stored->data() + in_block, length);
    at += length;
  }
  co_return std::move(bytes).Share();
}

Task<Result<void>> CopyBytes(ChunkEdit& source, ChunkEdit& target, Span span) {
  Result<Slice> bytes = co_await ReadSource(source, span.source_bytes, span.length_bytes);
  if (!bytes) co_return bytes.error();
  std::vector<BlockChecksum> checksums = PieceChecksums(span.target_bytes, bytes->span());
  co_return co_await target.PutBytes(span.target_bytes, std::move(*bytes), std::move(checksums));
}

// One whole block that begins at a block boundary in both chunks.
Task<Result<void>> CopyBlock(ChunkEdit& source, ChunkEdit& target, Span span) {
  std::uint16_t from = static_cast<std::uint16_t>(span.source_bytes / kBlockBytes);
  std::uint16_t to = static_cast<std::uint16_t>(span.target_bytes / kBlockBytes);
  const InlineBlock* in_index = source.FindInline(from);
  const BlockEntry& entry = source.before(from);
  bool is_zero = in_index != nullptr ? in_index->is_zero() : entry.is_hole();
  if (is_zero) {
    target.PutHole(to);
  } else if (in_index == nullptr && target.FindInline(to) == nullptr) {
    target.PutShared(to, entry);
  } else {
    co_return co_await CopyBytes(source, target, span);
  }
  co_return Result<void>();
}

Task<Result<void>> CopyAligned(ChunkEdit& source, ChunkEdit& target, Span span) {
  while (span.length_bytes > 0) {
    std::uint64_t in_block = span.target_bytes % kBlockBytes;
    Span part = span;
    part.length_bytes = std::min(span.length_bytes, kBlockBytes - in_block);
    Result<void> copied;
    if (part.length_bytes == kBlockBytes) {
      copied = co_await CopyBlock(source, target, part);
    } else {
      copied = co_await CopyBytes(source, target, part);
    }
    if (!copied) co_return copied;
    span.source_bytes += part.length_bytes;
    span.target_bytes += part.length_bytes;
    span.length_bytes -= part.length_bytes;
  }
  co_return Result<void>();
}

Task<Result<void>> CopyStep(StoreCore& core, ChunkCopy copy, Span span) {
  co_await core.WaitForRoom();
  Locked locked = co_await LockBoth(core.locks(), copy.source, copy.target, span);
  Result<ChunkEdit> source = co_await ChunkEdit::Load(core, copy.source, locked.source_range);
  if (!source) co_return source.error();
  Result<ChunkEdit> target = co_await ChunkEdit::Load(core, copy.target, locked.target_range);
  if (!target) co_return target.error();
  Result<void> put;
  if (span.source_bytes % kBlockBytes == span.target_bytes % kBlockBytes) {
    put = co_await CopyAligned(*source, *target, span);
  } else {
    put = co_await CopyBytes(*source, *target, span);
  }
  if (!put) co_return put;
  ChunkChange change;
  change.chunk = copy.target;
  change.pg = copy.pg;
  change.epoch = copy.epoch;
  change.grow_to_bytes = static_cast<std::uint32_t>(span.target_bytes + span.length_bytes);
  change.unsettled = true;
  co_return co_await target->Commit(change, ChunkEdit::Place::kSlabs);
}

}  // namespace

Task<Result<void>> ExtentStore::Copy(ChunkCopy copy) {
  CO_TRY(CheckChunkRange("copying from", copy.source_offset_bytes, copy.length_bytes));
  CO_TRY(CheckChunkRange("copying to", copy.offset_bytes, copy.length_bytes));
  std::uint32_t distance =
      std::max(copy.source_offset_bytes, copy.offset_bytes) - std::min(copy.source_offset_bytes, copy.offset_bytes);
  if (copy.source == copy.target && distance < copy.length_bytes) {
    co_return Error(ErrorCode::kInvalidArgument, "copying within a chunk from a range to one that overlaps it");
  }
  CO_TRY(core_.CheckOnline());
  for (std::uint64_t done = 0; done < copy.length_bytes;) {
    Span span{copy.source_offset_bytes + done, copy.offset_bytes + done, copy.length_bytes - done};
    // Steps end where a block of the target ends.
    span.length_bytes = std::min(span.length_bytes, kStepBytes - span.target_bytes % kBlockBytes);
    Result<void> copied = co_await CopyStep(core_, copy, span);
    if (!copied) co_return copied;
    done += span.length_bytes;
  }
  co_return Result<void>();
}

}  // namespace gabion
