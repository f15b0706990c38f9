#include "chunkserver/store/block_allocator.h"

#include <algorithm>
#include <bit>

#include "chunkserver/store/record_codec.h"
#include "common/base/check.h"

namespace gabion {
namespace {

constexpr std::uint8_t kBlockAllocatorVersion = 1;
constexpr std::uint8_t kFlagShared = 1;
constexpr std::uint8_t kFlagFull = 2;

// From here on a write is large: it looks for whole runs first, so that streams stay in one piece.
constexpr std::uint32_t kLargeBlocks = 16;
constexpr std::uint32_t kLargeRunBlocks = 256;
// Shorter runs are not punched: the call and the host's extent cost more than 64 KiB are worth; they are reused.
constexpr std::uint32_t kPunchRunBlocks = 16;

template <typename Bits>
bool TestBit(const Bits& bits, std::uint32_t index) {
  return ((bits[index / 64] >> (index % 64)) & 1) != 0;
}

// Changes bits [first, first + count) to `value`; all of them have the other one. By words.
template <typename Bits>
void FlipBits(Bits& bits, std::uint32_t first, std::uint32_t count, bool value) {
  while (count > 0) {
    std::uint32_t in_word = std::min(count, 64 - first % 64);
    std::uint64_t mask = (in_word == 64 ? ~0ull : ((1ull << in_word) - 1)) << (first % 64);
    std::uint64_t& word = bits[first / 64];
    CHECK((word & mask) == (value ? 0 : mask));
    word ^= mask;
    first += in_word;
    count -= in_word;
  }
}

// The first index in [first, end) whose bit is `value`; `end` if none.
template <typename Bits>
std::uint32_t FindBit(const Bits& bits, std::uint32_t first, std::uint32_t end, bool value) {
  while (first < end) {
    std::uint64_t word = value ? bits[first / 64] : ~bits[first / 64];
    word >>= first % 64;
    if (word != 0) return std::min(end, first + static_cast<std::uint32_t>(std::countr_zero(word)));
    first += 64 - first % 64;
  }
  return end;
}

std::uint32_t CountBits(const std::array<std::uint64_t, kBlocksPerSegment / 64>& bits) {
  std::uint32_t count = 0;
  for (std::uint64_t word : bits) count += static_cast<std::uint32_t>(std::popcount(word));
  return count;
}

}  // namespace

std::string EncodeSegmentRecord(const SegmentRecord& record) {
  bool full = CountBits(record.allocated) == kBlocksPerSegment;
  RecordWriter writer;
  writer.U8(kBlockAllocatorVersion);
  writer.U8(static_cast<std::uint8_t>((record.has_shared ? kFlagShared : 0) | (full ? kFlagFull : 0)));
  if (!full) {
    for (std::uint64_t word : record.allocated) writer.U64(word);
  }
  return std::move(writer).Take();
}

Result<SegmentRecord> DecodeSegmentRecord(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kBlockAllocatorVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 "segment record of version " + std::to_string(version) + "; this program knows version 1 only");
  }
  std::uint8_t flags = reader.U8();
  SegmentRecord record;
  record.has_shared = (flags & kFlagShared) != 0;
  bool full = (flags & kFlagFull) != 0;
  for (std::uint64_t& word : record.allocated) word = full ? ~0ull : reader.U64();
  if (!reader.AtEnd() || flags > (kFlagShared | kFlagFull)) {
    return Error(ErrorCode::kCorrupt, "segment record: wrong length or flags");
  }
  return record;
}

void BlockAllocator::AddSlab() {
  total_blocks_ += blocks_per_slab_;
  segments_.resize((total_blocks_ + kBlocksPerSegment - 1) / kBlocksPerSegment);
  // The last segment of before may have grown.
  for (Segment& segment : segments_) {
    if (segment.busy_count < kBlocksPerSegment) segment.longest_free_at_most = kBlocksPerSegment;
  }
}

Result<void> BlockAllocator::Load(std::uint32_t index, const SegmentRecord& record) {
  bool beyond = index >= segments_.size();
  if (!beyond) {
    for (std::uint32_t i = 0; i < kBlocksPerSegment; ++i) {
      beyond =
          beyond || (TestBit(record.allocated, i) && std::uint64_t{index} * kBlocksPerSegment + i >= total_blocks_);
    }
  }
  if (beyond) return Error(ErrorCode::kCorrupt, "segment " + std::to_string(index) + " lies beyond the last slab");
  Segment& segment = segments_[index];
  CHECK(segment.busy_count == 0);
  Views& views = Materialise(segment);
  views.busy = record.allocated;
  views.allocated = record.allocated;
  segment.busy_count = static_cast<std::uint16_t>(CountBits(record.allocated));
  segment.allocated_count = segment.busy_count;
  segment.has_shared = record.has_shared;
  busy_blocks_ += segment.busy_count;
  allocated_blocks_ += segment.busy_count;
  Compact(segment);
  return {};
}

std::vector<BlockRun> BlockAllocator::Reserve(std::uint32_t count) {
  std::vector<BlockRun> runs;
  if (count == 0 || count > free_blocks()) return runs;
  bool large = count >= kLargeBlocks;
  BlockAddress& cursor = large ? large_cursor_ : small_cursor_;
  std::uint32_t missing = Take(count, large ? std::min(count, kLargeRunBlocks) : count, cursor, runs);
  if (missing > 0 && large) missing = Take(missing, kLargeBlocks, cursor, runs);
  if (missing > 0) missing = Take(missing, 1, cursor, runs);
  CHECK(missing == 0);
  return runs;
}

std::uint32_t BlockAllocator::Take(std::uint32_t count, std::uint32_t run_min, BlockAddress& cursor,
                                   std::vector<BlockRun>& runs) {
  BlockAddress from = cursor < total_blocks_ ? cursor : 0;
  std::uint32_t segment_index = SegmentOf(from);
  // One turn more than there are segments: what lies before the cursor in its own segment comes last.
  for (std::size_t turn = 0; turn <= segments_.size() && count > 0; ++turn) {
    Segment& segment = segments_[segment_index];
    BlockAddress begin = std::uint64_t{segment_index} * kBlocksPerSegment;
    BlockAddress end = std::min<BlockAddress>(begin + kBlocksPerSegment, total_blocks_);
    bool whole = turn != 0;
    BlockAddress at = whole ? begin : from;
    std::uint32_t longest = 0;
    if (segment.longest_free_at_most >= std::min(run_min, count)) {
      while (count > 0) {
        BlockRun free = NextFree(at, end);
        if (free.count == 0) break;
        at = free.end();
        std::uint32_t taken = std::min(free.count, count);
        longest = std::max(longest, free.count);
        if (taken < std::min(run_min, count)) continue;
        free.count = taken;
        SetBusy(free, true);
        if (!runs.empty() && runs.back().end() == free.first && free.first % blocks_per_slab_ != 0) {
          runs.back().count += taken;
        } else {
          runs.push_back(free);
        }
        count -= taken;
        cursor = free.end();
        at = free.end();
      }
      // A full pass has seen every free run: the bound is now known (what was taken only shortens runs).
      if (whole && count > 0) segment.longest_free_at_most = static_cast<std::uint16_t>(longest);
    }
    segment_index = segment_index + 1 < segments_.size() ? segment_index + 1 : 0;
  }
  return count;
}

void BlockAllocator::Unreserve(BlockRun run) {
  SetBusy(run, false);
}

void BlockAllocator::Commit(BlockRun reserved) {
  SetAllocated(reserved, true);
}

void BlockAllocator::Free(BlockRun allocated) {
  SetAllocated(allocated, false);
}

void BlockAllocator::SetShared(std::uint32_t segment, bool has_shared) {
  segments_[segment].has_shared = has_shared;
}

std::optional<SegmentRecord> BlockAllocator::Record(std::uint32_t index) const {
  const Segment& segment = segments_[index];
  if (segment.allocated_count == 0) return std::nullopt;
  SegmentRecord record;
  record.has_shared = segment.has_shared;
  if (segment.views != nullptr) {
    record.allocated = segment.views->allocated;
  } else {
    record.allocated.fill(~0ull);
  }
  return record;
}

void BlockAllocator::Release(BlockRun held) {
  SetBusy(held, false);
  for (std::uint32_t index = SegmentOf(held.first); index <= SegmentOf(held.end() - 1); ++index) {
    Mark(segments_[index].punchable, punchable_segments_, true);
  }
}

std::vector<BlockRun> BlockAllocator::TakePunchable(bool short_too) {
  std::vector<BlockRun> runs;
  std::uint32_t run_min = short_too ? 1 : kPunchRunBlocks;
  while (runs.empty() && (punchable_segments_ > 0 || (short_too && short_left_segments_ > 0))) {
    if (punch_cursor_ >= segments_.size()) punch_cursor_ = 0;
    std::uint32_t index = punch_cursor_++;
    Segment& segment = segments_[index];
    if (!segment.punchable && !(short_too && segment.short_left)) continue;
    Mark(segment.punchable, punchable_segments_, false);
    bool short_left = segment.short_left && !short_too;
    BlockAddress at = std::uint64_t{index} * kBlocksPerSegment;
    BlockAddress end = std::min<BlockAddress>(at + kBlocksPerSegment, total_blocks_);
    for (BlockRun free = NextFree(at, end); free.count > 0; free = NextFree(free.end(), end)) {
      if (free.count >= run_min) {
        SetBusy(free, true);
        runs.push_back(free);
      } else {
        short_left = true;
      }
    }
    Mark(segment.short_left, short_left_segments_, short_left);
  }
  return runs;
}

void BlockAllocator::Mark(bool& mark, std::uint32_t& count, bool value) {
  if (mark == value) return;
  mark = value;
  count = value ? count + 1 : count - 1;
}

void BlockAllocator::Punched(BlockRun run) {
  SetBusy(run, false);
}

void BlockAllocator::MarkAllPunchable() {
  for (Segment& segment : segments_) {
    if (segment.busy_count < kBlocksPerSegment) Mark(segment.punchable, punchable_segments_, true);
  }
}

BlockAllocator::Views& BlockAllocator::Materialise(Segment& segment) {
  if (segment.views == nullptr) {
    segment.views = std::make_unique<Views>();
    if (segment.busy_count > 0) {
      segment.views->busy.fill(~0ull);
      segment.views->allocated.fill(~0ull);
    }
  }
  return *segment.views;
}

void BlockAllocator::Compact(Segment& segment) {
  bool all_free = segment.busy_count == 0;
  bool all_allocated = segment.allocated_count == kBlocksPerSegment;
  if (all_free || all_allocated) segment.views.reset();
}

BlockRun BlockAllocator::NextFree(BlockAddress from, BlockAddress to) const {
  if (from >= to) return {};
  const Segment& segment = segments_[SegmentOf(from)];
  BlockAddress begin = from - from % kBlocksPerSegment;
  std::uint32_t first = static_cast<std::uint32_t>(from - begin);
  std::uint32_t end = static_cast<std::uint32_t>(to - begin);
  if (segment.views == nullptr) {
    if (segment.busy_count > 0) return {};
  } else {
    first = FindBit(segment.views->busy, first, end, false);
    if (first == end) return {};
    end = FindBit(segment.views->busy, first, end, true);
  }
  BlockAddress address = begin + first;
  std::uint64_t to_slab_end = blocks_per_slab_ - address % blocks_per_slab_;
  return {address, static_cast<std::uint32_t>(std::min<std::uint64_t>(end - first, to_slab_end))};
}

void BlockAllocator::SetBusy(BlockRun run, bool busy) {
  while (run.count > 0) {
    Segment& segment = segments_[SegmentOf(run.first)];
    std::uint32_t first = static_cast<std::uint32_t>(run.first % kBlocksPerSegment);
    std::uint32_t count = std::min(run.count, kBlocksPerSegment - first);
    FlipBits(Materialise(segment).busy, first, count, busy);
    if (busy) {
      segment.busy_count = static_cast<std::uint16_t>(segment.busy_count + count);
      busy_blocks_ += count;
    } else {
      segment.busy_count = static_cast<std::uint16_t>(segment.busy_count - count);
      busy_blocks_ -= count;
      segment.longest_free_at_most = kBlocksPerSegment;
    }
    Compact(segment);
    run.first += count;
    run.count -= count;
  }
}

void BlockAllocator::SetAllocated(BlockRun run, bool allocated) {
  while (run.count > 0) {
    Segment& segment = segments_[SegmentOf(run.first)];
    std::uint32_t first = static_cast<std::uint32_t>(run.first % kBlocksPerSegment);
    std::uint32_t count = std::min(run.count, kBlocksPerSegment - first);
    FlipBits(Materialise(segment).allocated, first, count, allocated);
    if (allocated) {
      segment.allocated_count = static_cast<std::uint16_t>(segment.allocated_count + count);
      allocated_blocks_ += count;
    } else {
      segment.allocated_count = static_cast<std::uint16_t>(segment.allocated_count - count);
      allocated_blocks_ -= count;
    }
    Compact(segment);
    run.first += count;
    run.count -= count;
  }
}

}  // namespace gabion
