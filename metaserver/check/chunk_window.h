#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace gabion {

/// Members of a group, by their position among its members.
using MemberMask = std::uint32_t;
inline constexpr unsigned kMaxMembersOfMask = 30;

/// The stored chunks of a range of numbers, and which members of their groups have them. Pure.
class ChunkWindow {
 public:
  /// Chunks of one window: 128 MiB.
  static constexpr std::size_t kMaxChunks = 8 << 20;

  /// Covers numbers from `first` on.
  explicit ChunkWindow(ChunkId first) : first_(first) {}

  /// Copies come in the order of chunks. `member`: nothing for a server that is no member of the group.
  void AddCopy(ChunkId chunk, PgId pg, std::optional<unsigned> member);
  std::size_t size() const { return chunks_.size(); }
  /// The window covers numbers up to and including this. Without it, all that there are.
  void CloseAt(ChunkId last) { last_ = last; }
  bool Covers(ChunkId chunk) const { return chunk >= first_ && (!last_ || chunk <= *last_); }

  /// A file has the chunk in this group; the members that have it. None: it is not stored there.
  MemberMask MarkKnown(ChunkId chunk, PgId pg);
  void MarkGarbage(ChunkId chunk);
  /// Calls `visit(ChunkId, PgId)` for chunks that were not marked, `max_count` at most, from position `from` on; where
  /// to go on, size() at the end.
  template <typename Visit>
  std::size_t VisitUnknown(std::size_t from, std::size_t max_count, Visit visit) const {
    for (; from < chunks_.size() && max_count > 0; ++from) {
      if ((chunks_[from].bits & kKnown) != 0) continue;
      visit(chunks_[from].chunk, chunks_[from].pg);
      --max_count;
    }
    return from;
  }

 private:
  static constexpr std::uint32_t kKnown = 1u << 31;
  static_assert(kMaxMembersOfMask < 31);

  struct Stored {
    ChunkId chunk;
    PgId pg;
    std::uint32_t bits = 0;  // members, kKnown
  };
  static_assert(sizeof(Stored) == 16);

  Stored* Find(ChunkId chunk);

  const ChunkId first_;
  std::optional<ChunkId> last_;
  std::vector<Stored> chunks_;  // sorted
};

}  // namespace gabion
