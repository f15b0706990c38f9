#pragma once

#include <optional>
#include <vector>

#include "metaserver/check/check_log.h"
#include "metaserver/check/chunk_recheck.h"
#include "metaserver/check/chunk_window.h"
#include "metaserver/check/table_cursor.h"

namespace gabion {

/// Compares what files have with what chunkservers have stored, window by window of the chunks that are stored; for
/// each, all references of files pass by.
///
/// Both sides change meanwhile. A window is read first and the store's snapshot taken then: a chunk gets its place in a
/// file before it is stored, so what was stored has a place in the snapshot, or had one and is garbage, or was removed
/// since. What looks wrong after that is looked at once more (chunk_recheck.h).
///
/// A file may name a chunk that is stored nowhere: one is placed before it is written, often without need. It is
/// missing only if its record says that it was written, and counted as unwritten else.
class ChunkPass {
 public:
  /// All of them outlive it.
  ChunkPass(Env& env, KvStore& kv, Cluster& cluster, VolumeTable& volumes, ChunkLister& lister,
            std::size_t window_chunks, CheckLog& log);

  /// `only`: chunks of this volume's files, and no orphans. Errors: those of the store and of records; kUnavailable,
  /// kCancelled.
  Task<Result<void>> Run(std::optional<VolumeId> only);

 private:
  Task<Result<void>> CheckWindow(ChunkWindow window, std::optional<VolumeId> only);
  Task<Result<void>> WalkInodes(KvSnapshot& snapshot, std::string prefix, ChunkWindow& window);
  Task<Result<void>> WalkChunkTable(KvSnapshot& snapshot, std::string prefix, ChunkWindow& window);
  Task<Result<void>> WalkGarbage(KvSnapshot& snapshot, ChunkWindow& window);
  Task<Result<void>> FindOrphans(const ChunkWindow& window);
  /// Compares one chunk of a file with what is stored of it.
  void Compare(ChunkSuspect reference, ChunkWindow& window);
  Task<Result<void>> RecheckIfMany();
  Task<Result<void>> Recheck();

  KvStore& kv_;
  Cluster& cluster_;
  ChunkLister& lister_;
  const std::size_t window_chunks_;
  CheckLog& log_;
  ChunkRecheck recheck_;
  ChunkGroups groups_;
  std::vector<ChunkSuspect> suspects_;
};

}  // namespace gabion
