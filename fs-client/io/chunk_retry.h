#pragma once

#include <optional>

#include "fs-client/io/chunk_calls.h"
#include "fs-client/session/retry_limits.h"

namespace gabion {

/// Paces the tries of one request and decides when to ask for a newer map. One loop; the calls outlive it.
class ChunkCalls::Retry {
 public:
  Retry(ChunkCalls& calls, ClientLoop* loop, PgId pg)
      : calls_(calls), loop_(loop), pg_(pg), patience_(calls.session_.NewPatience(loop)) {}

  TimePoint NextDeadline();
  void Succeeded() { calls_.outages_.Succeeded(pg_.value(), loop_->Now()); }
  /// Waits until another try makes sense. Errors: `error`, if it is for good; kCancelled; kIo (given up).
  Task<Result<void>> AfterFailure(Error error, ClusterViewPtr seen);

 private:
  bool HopesForSpace(ErrorCode code);

  ChunkCalls& calls_;
  ClientLoop* loop_;
  const PgId pg_;
  const Patience patience_;
  AttemptLimit limit_;
  std::optional<TimePoint> full_since_;
  Backoff backoff_ = MakeRetryBackoff();
  unsigned damaged_ = 0;
};

}  // namespace gabion
