#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/byte_units.h"

namespace gabion {

/// A stretch of a file on its way to the chunkservers: at most 4 MiB, within a chunk. Its slices meet at block
/// boundaries.
struct WriteFrame {
  std::uint64_t offset_bytes = 0;
  Payload payload;
  std::uint64_t first_write = 0;  // the oldest write that it carries a part of

  std::uint64_t end_bytes() const { return offset_bytes + payload.size(); }
  bool Overlaps(std::uint64_t begin, std::uint64_t end) const { return begin < end_bytes() && offset_bytes < end; }
};
using WriteFramePtr = std::shared_ptr<const WriteFrame>;

/// A part of a file's content with its place.
struct PlacedSlice {
  std::uint64_t offset_bytes = 0;
  Slice slice;
};

/// What was written to one file and is not yet part of what the metaserver shows. Pure; guarded by the file's mutex.
///
/// Bytes go through four states: *gathering* (may be overwritten in place and grow), *sending* (a frame on its way,
/// immutable), *landed* (on the replicas; kept because a cut by another client may take them away before the size is
/// committed), *committing*; then they are forgotten. Frames that are on their way never overlap.
///
/// Writes are numbered from 1 up, so that a flush knows when all that was there before it has got through.
class DirtyData {
 public:
  /// Of what has more, frames of kStreamBytes contiguous bytes are sent without anybody asking. What has not may be
  /// gone before anybody does: compilers, editors and databases make such files for a moment.
  static constexpr std::size_t kHeldBytes = 4 * kMiB;
  static constexpr std::uint64_t kStreamBytes = kMiB;
  /// Frames on their way at once.
  static constexpr std::size_t kMaxSending = 8;
  /// Above so much gathered in small pieces, pieces are sent although they are small.
  static constexpr std::size_t kMaxGatheringBytes = 16 * kMiB;

  /// Copies `bytes`; how many bytes of memory that took.
  std::size_t Write(std::uint64_t offset_bytes, std::span<const std::byte> bytes);
  /// The number of the newest write; 0 before the first.
  std::uint64_t last_write() const { return last_write_; }

  /// The next frame worth sending before anybody asks, now in state sending; null if there is none or enough are under
  /// way.
  WriteFramePtr TakeForStreaming();
  /// The next frame with parts of writes up to `write`; null if none may go now.
  WriteFramePtr TakeUpTo(std::uint64_t write);

  void Landed(const WriteFramePtr& frame);
  /// Forgets what is gathered; the bytes it held.
  std::size_t DropGathering();
  /// It could not be stored: forgotten. The bytes it held.
  std::size_t Dropped(const WriteFramePtr& frame);

  /// All that landed is now in state committing. One commit at a time.
  void BeginCommit();
  const std::vector<WriteFramePtr>& committing() const { return committing_; }
  /// The commit is over, successful or given up: forgets its frames; the bytes they held.
  std::size_t EndCommit();
  /// The parts of committing frames that nothing newer overwrites; until EndCommit nothing that overlaps them is taken.
  /// To send them again.
  std::vector<PlacedSlice> TakeBackCommitting();

  bool HasGathering(std::uint64_t up_to_write) const;
  bool HasSending(std::uint64_t up_to_write) const;
  bool HasUncommitted(std::uint64_t up_to_write) const;  // landed or committing
  /// Beside what is being committed.
  bool HasMore() const { return !extents_.empty() || !sending_.empty() || !landed_.empty(); }
  bool HasLanded() const { return !landed_.empty(); }
  bool empty() const { return extents_.empty() && sending_.empty() && landed_.empty() && committing_.empty(); }

  std::size_t gathering_bytes() const { return gathering_bytes_; }
  std::size_t sending_count() const { return sending_.size(); }
  std::size_t landed_bytes() const { return landed_bytes_; }
  /// In all states.
  std::size_t total_bytes() const { return total_bytes_; }
  /// The end of the last byte in any state; 0 if there is none.
  std::uint64_t end_bytes() const;

  /// What the gathering and sending bytes lay over [begin, end) of the file: in order, without overlap. Gathering bytes
  /// are copied, for they may be overwritten; sending ones are shared.
  std::vector<PlacedSlice> Overlay(std::uint64_t begin, std::uint64_t end) const;

 private:
  /// Memory with room behind what it holds. All pieces of an extent but the last end at a block boundary, full.
  struct Piece {
    MutableBuffer memory;
    std::uint64_t offset_bytes;
    std::size_t filled;

    std::uint64_t end_bytes() const { return offset_bytes + filled; }
  };
  /// Contiguous, within an aligned window of kMaxPayloadBytes.
  struct Extent {
    std::uint64_t end_bytes = 0;
    std::uint64_t first_write = 0;
    std::vector<Piece> pieces;
  };
  using Extents = std::map<std::uint64_t, Extent>;  // by first offset

  std::size_t WriteInside(Extents::iterator extent, std::uint64_t offset, std::span<const std::byte> bytes);
  std::size_t WriteGap(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t limit);
  void Append(std::uint64_t start, Extent& extent, std::span<const std::byte> bytes);
  void Merge(Extents::iterator extent);
  void NoteSize(Extents::iterator extent);
  bool Busy(std::uint64_t begin, std::uint64_t end) const;
  WriteFramePtr Take(Extents::iterator extent);
  void SplitTail(Extents::iterator extent);

  Extents extents_;
  bool is_large_ = false;               // it had more than kHeldBytes since it was empty
  std::set<std::uint64_t> streamable_;  // first offsets of extents of kStreamBytes or more
  std::vector<WriteFramePtr> sending_;
  std::vector<WriteFramePtr> landed_;
  std::vector<WriteFramePtr> committing_;
  bool resending_ = false;
  std::uint64_t last_write_ = 0;
  std::size_t gathering_bytes_ = 0;
  std::size_t landed_bytes_ = 0;
  std::size_t total_bytes_ = 0;
};

}  // namespace gabion
