#pragma once

#include <optional>
#include <string>

#include "chunkserver/replication/data_context.h"
#include "common/rpc/rpc_server.h"
#include "common/rpc/waiter.h"

namespace gabion {

/// Whether a member has answered, or was never asked: then nothing of the call can happen there any more.
bool OutcomeIsKnown(ErrorCode code);

/// A call that a primary passes on to several members at once. Belongs to the frame of the handler that waits for it,
/// and to its loop.
class ForwardRound {
 public:
  /// `deadline` is the original caller's; members get a little less, so that there is time to answer it.
  ForwardRound(DataContext& context, Env& env, TimePoint deadline);
  ForwardRound(const ForwardRound&) = delete;
  ForwardRound& operator=(const ForwardRound&) = delete;

  /// A joiner may fail: then `chunk`, of this PG, is noted as missed, and only if it had to have it the round fails.
  struct Optional {
    PgId pg;
    Epoch epoch;
    ChunkId chunk;
  };

  /// Starts a call. `header` is encoded; the payload's bytes are shared.
  void Send(ServerId member, proto::Method method, std::string header, Payload payload,
            std::optional<Optional> optional = std::nullopt);
  /// Returns once what was started is with the kernel, so that the members work while this server does.
  Task<void> Flush();
  /// Waits for all. Errors: of the first member that failed, as a caller is to see it: kNoSpace,
  /// kCorrupt, kInvalidArgument, kStale and kStaleEpoch as they came, everything else kUnavailable.
  Task<Result<void>> Join();
  /// Members whose disks were full, after Join.
  const std::vector<ServerId>& full() const { return full_; }

 private:
  static Task<void> Run(ForwardRound& round, ServerId member, proto::Method method, std::string header, Payload payload,
                        std::optional<Optional> optional);

  DataContext& context_;
  Env& env_;
  const TimePoint deadline_;
  std::size_t running_ = 0;
  std::optional<Error> error_;
  std::vector<ServerId> full_;
  Waiter done_;
};

}  // namespace gabion
