#pragma once

#include "common/base/ids.h"
#include "common/env/env.h"
#include "proto/data.pb.h"

namespace gabion {

/// Asks chunkservers which chunks they have stored.
class ChunkLister {
 public:
  virtual ~ChunkLister() = default;

  /// `endpoint`: of the server, as the cluster's map has it. Errors: kUnavailable, kDeadlineExceeded and others of a
  /// server that cannot be asked; kUnknownMethod: of an older release.
  virtual Task<Result<proto::ListStoredChunksReply>> List(ServerId server, Endpoint endpoint,
                                                          proto::ListStoredChunksRequest request) = 0;
  /// Ends what is under way (kCancelled), and keeps no connection until somebody asks again.
  virtual Task<void> HangUp() = 0;
};

}  // namespace gabion
