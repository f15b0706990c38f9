#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/base/ids.h"
#include "proto/meta.pb.h"

namespace gabion {

/// Where a chunk of a file is. No chunk id: a hole.
struct ChunkPlace {
  ChunkId chunk;
  PgId pg;

  bool hole() const { return !chunk; }
  friend bool operator==(const ChunkPlace&, const ChunkPlace&) = default;
  static ChunkPlace From(const proto::ChunkRef& ref) { return {ChunkId(ref.chunk_id()), PgId(ref.pg_id())}; }
};

/// A chunk that is to be synced.
struct UnsyncedChunk {
  ChunkPlace place;
  Epoch since;  // of the oldest of our changes that were not synced; none: there are none of ours
};

/// What is known of a file's chunks, by index. Pure; guarded by the file's mutex. Forgotten as a whole when the file's
/// content changed elsewhere.
class ChunkTable {
 public:
  /// 4096 chunks are 256 GiB of file; a reader that jumps around in more than that asks again.
  static constexpr std::size_t kMaxKnown = 4096;

  /// None if nothing is known of the index.
  std::optional<ChunkPlace> Find(std::uint64_t index) const;
  void Set(std::uint64_t index, ChunkPlace place);
  /// Forgets the indices from `first` on.
  void ForgetFrom(std::uint64_t first);
  void Clear();

  /// Raised by Clear and ForgetFrom: what was asked for before is not to be remembered after.
  std::uint64_t generation() const { return generation_; }

 private:
  std::map<std::uint64_t, ChunkPlace> places_;
  std::uint64_t generation_ = 0;
};

}  // namespace gabion
