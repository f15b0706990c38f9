#pragma once

#include <vector>

#include "metaserver/check/check_log.h"
#include "metaserver/check/chunk_inventory.h"
#include "metaserver/volume/volume_table.h"

namespace gabion {

/// A chunk of a file of which a copy seems to be missing.
struct ChunkSuspect {
  ChunkId chunk;
  PgId pg;
  VolumeId volume;
  Ino ino;
  std::uint64_t index = 0;
  bool is_written = false;  // its servers had data of it when the file's record was read
};

/// A stored chunk that no file seems to have.
struct OrphanSuspect {
  ChunkId chunk;
  PgId pg;
};

/// Looks at what seemed wrong once more, and adds to the log what still is.
///
/// Copies: what was written is on all members in sync from before its mark on, until it is removed. So a member that is
/// in sync, and does not have it when asked now, lacks it, if the file still has the chunk afterwards. What has no mark
/// may be on its way to some members: it is asked for again and again for some seconds, which no change takes unless
/// its group is in trouble, and then its epoch changes.
///
/// Orphans: the snapshot in which neither a file nor the garbage table had the chunk was taken when the chunk was
/// stored. A chunk has a place before it is stored and never gets another one, so it was of a file before, and its
/// garbage records are gone: all its servers have removed it. One that still has it when asked now is none of these.
class ChunkRecheck {
 public:
  /// All of them outlive it.
  ChunkRecheck(Env& env, KvStore& kv, Cluster& cluster, VolumeTable& volumes, ChunkLister& lister, CheckLog& log)
      : env_(env), kv_(kv), cluster_(cluster), volumes_(volumes), lister_(lister), log_(log) {}

  /// Errors: those of the store; kUnavailable, kCancelled.
  Task<Result<void>> Copies(std::vector<ChunkSuspect> suspects);
  Task<Result<void>> Orphans(std::vector<OrphanSuspect> suspects);

 private:
  /// What is known of a suspect: the members in sync that were asked and do not have it, or nothing.
  struct Verdict {
    std::vector<ServerId> lacking;
    bool nobody_has_it = false;
  };

  Task<Result<void>> AskOnce(std::vector<ChunkSuspect>& suspects, std::map<ChunkId, Verdict>& verdicts);
  Task<Result<ChunkGroups>> Groups();
  Task<Result<void>> AddMissing(const ChunkSuspect& suspect, const Verdict& verdict);

  Env& env_;
  KvStore& kv_;
  Cluster& cluster_;
  VolumeTable& volumes_;
  ChunkLister& lister_;
  CheckLog& log_;
};

}  // namespace gabion
