#pragma once

#include <memory>
#include <string>
#include <vector>

#include "metaserver/check/check_log.h"
#include "metaserver/check/chunk_lister.h"
#include "metaserver/check/chunk_pass.h"
#include "metaserver/check/name_window.h"
#include "metaserver/volume/volume_table.h"

namespace gabion {

/// What a check may keep in memory at once. Smaller ones take more walks over the tables.
struct CheckLimits {
  std::size_t window_inodes = NameWindow::kMaxInodes;
  std::size_t window_chunks = ChunkWindow::kMaxChunks;
};

/// What a check works on. All of it outlives the check.
struct CheckContext {
  Env& env;
  KvStore& kv;
  VolumeTable& volumes;
  Cluster& cluster;
  ChunkLister& lister;
  CheckLimits limits;
};

/// Goes through everything, from the start to the end, beside whatever clients do. The records of each volume are
/// looked at as they were at one moment, so nothing that ops do meanwhile looks wrong; chunks, which are in many
/// places, by the rules of chunk_pass.h. Errors: those of the passes; kCancelled.
Task<Result<void>> RunCheck(CheckContext& context, std::vector<std::shared_ptr<Volume>> volumes, bool all_volumes,
                            CheckLog& log);

}  // namespace gabion
