#pragma once

#include <optional>

#include "common/coro/async_mutex.h"
#include "common/rpc/cancellable_sleep.h"
#include "fs-client/session/meta_call.h"
#include "fs-client/vfs/open_files.h"
#include "fs-client/vfs/release_queue.h"

namespace gabion {

/// Names to the metaserver what the client opened by itself (OwnOpens). Any loop.
class HandleNaming {
 public:
  /// What stays open so long is named without need: should the leases lapse, the files are kept all the same.
  static constexpr Duration kAge = std::chrono::seconds(1);

  /// All outlive it.
  HandleNaming(OpenFiles& files, MetaCalls& meta, MetaSession& session, ReleaseQueue& releases)
      : files_(files), meta_(meta), session_(session), releases_(releases) {}

  /// Returns when the metaserver knows all handles of the file, or (no `ino`) of all files. Errors: those of
  /// MetaCalls::Read; some may not be known then.
  Task<Result<void>> Name(ClientLoop* loop, std::optional<Ino> ino);
  /// On the first loop.
  Task<void> NameOldUntilStopped(ClientLoop* loop);
  /// After MetaSession::StopWaiting. On the first loop.
  void Stop() { age_sleep_.Cancel(); }

 private:
  Task<Result<void>> NameAdded(ClientLoop* loop, std::optional<Ino> ino, TimePoint added_before);

  OpenFiles& files_;
  MetaCalls& meta_;
  MetaSession& session_;
  ReleaseQueue& releases_;
  CancellableSleep age_sleep_;
  AsyncMutex naming_;  // who finds nothing to be named waits for those who name it
};

}  // namespace gabion
