#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chunkserver/store/block_run.h"
#include "common/base/result.h"

namespace gabion {

/// Allocation is recorded by segments of 4 MiB, one index record each.
inline constexpr std::uint32_t kBlocksPerSegment = 1024;

/// What the index says of a segment's blocks.
struct SegmentRecord {
  std::array<std::uint64_t, kBlocksPerSegment / 64> allocated{};  // bit i of word w: block w * 64 + i
  bool has_shared = false;                                        // there is a record of reference counts

  friend bool operator==(const SegmentRecord&, const SegmentRecord&) = default;
};

std::string EncodeSegmentRecord(const SegmentRecord& record);
/// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
Result<SegmentRecord> DecodeSegmentRecord(std::string_view value);

/// Which blocks of a store are free. Keeps two views of each block: whether the index says that it is allocated, and
/// whether it is busy, which it is also while it waits: for the commit that will allocate it, for the moment from which
/// it may be written over after it was freed, for its hole to be punched. Pure memory, not thread-safe.
///
///   free --Reserve--> reserved --Commit--> allocated --Free--> held --Release--> free
class BlockAllocator {
 public:
  /// Empty; Load what the index has, then AddSlab for each slab.
  explicit BlockAllocator(std::uint64_t blocks_per_slab) : blocks_per_slab_(blocks_per_slab) {}

  void AddSlab();
  /// Takes over a segment of the index. Errors: kCorrupt if it has blocks beyond the slabs.
  Result<void> Load(std::uint32_t segment, const SegmentRecord& record);

  /// `count` blocks, in as few runs as is cheap to find; none if there are not so many.
  std::vector<BlockRun> Reserve(std::uint32_t count);
  /// Of reserved blocks that will not be used.
  void Unreserve(BlockRun run);

  // The index's view changes: the caller writes Record(segment) of every segment it touches into the same batch.

  void Commit(BlockRun reserved);
  void Free(BlockRun allocated);
  void SetShared(std::uint32_t segment, bool has_shared);
  bool has_shared(std::uint32_t segment) const { return segments_[segment].has_shared; }
  /// Nothing if the index needs no record, as all is free.
  std::optional<SegmentRecord> Record(std::uint32_t segment) const;

  /// A held block may be reserved again.
  void Release(BlockRun held);

  /// Free runs of one segment that are worth giving back to the host, made busy; call Punched for each. Empty: none.
  /// `short_too`: also those that are usually left to be reused.
  std::vector<BlockRun> TakePunchable(bool short_too);
  void Punched(BlockRun run);
  /// As if everything free had been written once: after a start nobody knows what is punched.
  void MarkAllPunchable();

  std::uint64_t total_blocks() const { return total_blocks_; }
  std::uint64_t allocated_blocks() const { return allocated_blocks_; }  // by the index
  std::uint64_t free_blocks() const { return total_blocks_ - busy_blocks_; }
  std::uint32_t segment_count() const { return static_cast<std::uint32_t>(segments_.size()); }

 private:
  using Bits = std::array<std::uint64_t, kBlocksPerSegment / 64>;
  struct Views {
    Bits busy{};
    Bits allocated{};
  };
  struct Segment {
    std::unique_ptr<Views> views;  // null: all free (busy_count 0), or all allocated
    std::uint16_t busy_count = 0;
    std::uint16_t allocated_count = 0;
    std::uint16_t longest_free_at_most = kBlocksPerSegment;  // a bound, so that searches skip what is full
    bool has_shared = false;
    bool punchable = false;   // freed since it was punched last
    bool short_left = false;  // short runs were left then
  };

  static std::uint32_t SegmentOf(BlockAddress address) {
    return static_cast<std::uint32_t>(address / kBlocksPerSegment);
  }
  Views& Materialise(Segment& segment);
  static void Compact(Segment& segment);
  // Sets a mark of a segment, and keeps count of the segments that have it.
  static void Mark(bool& mark, std::uint32_t& count, bool value);
  // The first free run in [from, to), cut at slab boundaries; count 0 if none.
  BlockRun NextFree(BlockAddress from, BlockAddress to) const;
  void SetBusy(BlockRun run, bool busy);
  void SetAllocated(BlockRun run, bool allocated);
  // Takes up to `count` blocks in runs of at least `run_min` (the last one may be what is missing), from `cursor` once
  // round.
  std::uint32_t Take(std::uint32_t count, std::uint32_t run_min, BlockAddress& cursor, std::vector<BlockRun>& runs);

  const std::uint64_t blocks_per_slab_;
  std::uint64_t total_blocks_ = 0;
  std::uint64_t busy_blocks_ = 0;
  std::uint64_t allocated_blocks_ = 0;
  std::vector<Segment> segments_;
  BlockAddress small_cursor_ = 0;  // next-fit, apart for small and large writes, so that small ones fill gaps
  BlockAddress large_cursor_ = 0;
  std::uint32_t punch_cursor_ = 0;
  std::uint32_t punchable_segments_ = 0;
  std::uint32_t short_left_segments_ = 0;
};

}  // namespace gabion
