#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/checksum.h"
#include "common/base/result.h"
#include "common/rpc/rpc_client.h"
#include "fs-client/io/chunk_table.h"
#include "fs-client/io/read_race.h"
#include "fs-client/session/meta_session.h"
#include "fs-client/session/outage_log.h"
#include "proto/data.pb.h"

namespace gabion {

/// Requests to chunkservers, each to the right one by the newest map and repeated until answered: failure is a pause
/// (DESIGN 1). Offsets are within the chunk. Any loop.
///
/// Errors of all: kNoSpace (after some seconds, in which a full server may have been replaced); kIo (no good copy,
/// servers that keep failing, or given up on a soft mount); kCancelled (the mount is being stopped).
class ChunkCalls {
 public:
  /// The time before which something has to be on its way.
  using SendLimit = std::function<TimePoint()>;

  /// `session` outlives it.
  explicit ChunkCalls(MetaSession& session) : session_(session) {}

  /// Stores the payload in all in-sync members; durably with `sync`. `checksums` as in WriteChunkRequest. Returns the
  /// epoch that it was answered in. It is sent before `may_send_until()`, which is asked at every try, or not at all.
  /// Errors: also kLeaseLost: that has passed, or the session was evicted.
  Task<Result<Epoch>> Write(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes, Payload payload,
                            std::vector<BlockChecksum> checksums, bool sync, const SendLimit& may_send_until);

  /// Blocks as some in-sync member has them, verified; shorter where the chunk ends. Offset and length in whole blocks.
  /// A copy that is bad or out of reach is passed over, the primary's is the first choice. If it does not answer soon,
  /// one more is asked, and whichever answers first is taken.
  Task<Result<Slice>> Read(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes, std::uint32_t length_bytes);

  /// Makes what the chunks hold durable on all in-sync members. Returns those of which that is less than was answered:
  /// all members lost power between a change and its sync.
  Task<Result<std::vector<ChunkPlace>>> Sync(ClientLoop* loop, std::vector<UnsyncedChunk> chunks);
  Task<Result<void>> Trim(ClientLoop* loop, ChunkPlace place, std::uint32_t length_bytes, std::uint64_t generation);
  /// Returns the epoch that it was answered in. Sent as by Write.
  Task<Result<Epoch>> Zero(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes, std::uint32_t length_bytes,
                           const SendLimit& may_send_until);
  Task<Result<proto::StatChunkReply>> Stat(ClientLoop* loop, ChunkPlace place);

 private:
  class Retry;
  struct Answer {
    RpcReply reply;
    Epoch epoch;
  };

  static Result<Epoch> EpochOf(const Result<Answer>& answer);
  /// Begins a wait for a chunkserver's answer, and has somebody look after those who wait.
  ClientLoop::Waiting Wait(ClientLoop* loop);
  Task<void> Watch(ClientLoop* loop);

  /// `target` is inside `request`; both are the awaiting caller's. Without a limit kLeaseLost is a pause.
  Task<Result<Answer>> ToPrimary(ClientLoop* loop, ChunkPlace place, proto::Method method,
                                 const google::protobuf::MessageLite& request, proto::ChunkTarget& target,
                                 Payload payload, const SendLimit* may_send_until = nullptr);
  /// In chunk_read.cc.
  class ReadRound;
  Task<void> AskCopy(ClientLoop* loop, ReadRace::Entry entry, ClusterView::Server server,
                     proto::ReadChunkRequest request, TimePoint deadline);
  Task<Result<Slice>> ReadFrom(ClientLoop* loop, ClusterView::Server server, proto::ReadChunkRequest request,
                               TimePoint deadline);
  Task<Result<std::vector<UnsyncedChunk>>> SyncRound(ClientLoop* loop, std::vector<UnsyncedChunk> chunks,
                                                     ClusterViewPtr map, TimePoint deadline);
  void ReportBadCopy(ClientLoop* loop, ServerId server, const proto::ChunkTarget& target, const Error& error);
  /// Tells the primary, which then repairs the bad copy: once, and nobody waits for it, for scrub finds it in any case.
  Task<void> AskForScrub(ClientLoop* loop, proto::ScrubChunkRequest request);

  MetaSession& session_;
  OutageLog outages_{"placement group"};
  std::atomic<std::int64_t> no_space_until_ns_{0};  // until then nobody waits for space
  std::mutex reported_mutex_;
  std::set<std::pair<ServerId, ChunkId>> reported_;  // bad copies that are in the log already
};

}  // namespace gabion
