#pragma once

#include <mutex>
#include <optional>

#include "common/base/ids.h"
#include "fs-client/session/id_pool.h"
#include "proto/meta.pb.h"

namespace gabion {

/// What a new file needs.
struct NewFileIds {
  Ino ino;
  ChunkId first_chunk;
};

/// The ranges of inode and chunk numbers that the metaserver delegated to the session, so that a file is made without
/// asking for its number. Any thread.
class DelegatedIds {
 public:
  /// How many are asked for at once, and below how many the next are asked for: at 20,000 creates a second a batch
  /// lasts most of a second, and half of it is time enough for the answer.
  static constexpr std::uint64_t kBatch = 16384;
  static constexpr std::uint64_t kLowWater = kBatch / 2;

  void Add(const proto::IdRange& inos, const proto::IdRange& chunk_ids);
  /// Forgets all; the session they belonged to is gone.
  void Clear();

  std::optional<NewFileIds> TakeForFile();
  std::optional<ChunkId> TakeChunk();

  std::uint64_t missing_inos() const;  // to have kBatch again
  std::uint64_t missing_chunks() const;
  bool low() const;

 private:
  mutable std::mutex mutex_;
  IdPool inos_;
  IdPool chunks_;
};

}  // namespace gabion
