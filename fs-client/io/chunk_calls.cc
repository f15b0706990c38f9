#include "fs-client/io/chunk_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "fs-client/io/chunk_retry.h"

namespace gabion {
namespace {

constexpr std::size_t kMaxReported = 1024;
constexpr Duration kScrubRequestLimit = std::chrono::seconds(2);
// Who has waited longer may wait for a server that is dead, or no primary any more: the map tells.
constexpr Duration kWatchInterval = std::chrono::milliseconds(500);
// Chunks of one SyncChunks, 256 GiB of a file: far within what one header may hold.
constexpr int kMaxTargetsPerSync = 4096;

}  // namespace

/// The epoch that a change was answered in. A chunk that was removed with its file, or replaced when another client cut
/// the file, takes no change any more, and none is missed: whoever commits what was written there learns that the file
/// has changed, and stores it again where it belongs.
Result<Epoch> ChunkCalls::EpochOf(const Result<Answer>& answer) {
  if (answer) return answer->epoch;
  if (answer.error().code() == ErrorCode::kStale) return Epoch();
  return answer.error();
}

ClientLoop::Waiting ChunkCalls::Wait(ClientLoop* loop) {
  if (!loop->StartWatching()) session_.tasks().Spawn(loop->env().executor, Watch(loop));
  return ClientLoop::Waiting(*loop);
}

Task<void> ChunkCalls::Watch(ClientLoop* loop) {
  do {
    co_await loop->env().clock.SleepFor(kWatchInterval);
    if (session_.stopping()) break;
    if (!loop->any_waiting() || loop->Now() - loop->waiting_since() < kWatchInterval) continue;
    co_await session_.RefreshMap(loop, session_.map()->version());
  } while (loop->any_waiting());
  loop->StopWatching();
}

Task<Result<ChunkCalls::Answer>> ChunkCalls::ToPrimary(ClientLoop* loop, ChunkPlace place, proto::Method method,
                                                       const google::protobuf::MessageLite& request,
                                                       proto::ChunkTarget& target, Payload payload,
                                                       const SendLimit* may_send_until) {
  target.set_chunk_id(place.chunk.value());
  target.set_pg_id(place.pg.value());
  Retry retry(*this, loop, place.pg);
  for (;;) {
    ClusterViewPtr map = session_.map();
    const ClusterView::Pg* pg = map->FindPg(place.pg);
    const ClusterView::Server* primary = pg == nullptr ? nullptr : map->FindServer(pg->primary);
    Error failure(ErrorCode::kUnavailable, fmt::format("placement group {} has no primary", place.pg.value()));
    // Before the limit: what the session has lost is refused under the number that it had till then.
    const SessionStatePtr session = session_.state();
    const TimePoint limit = may_send_until == nullptr ? TimePoint{INT64_MAX} : (*may_send_until)();
    if (loop->Now() >= limit) {
      failure = Error(ErrorCode::kLeaseLost, "the session may have lapsed");
    } else if (primary != nullptr) {
      target.set_session_id(session->id.value());
      target.set_session_evictions(session->evictions);
      target.set_epoch(Mutated("client.no_epoch") ? 0 : pg->epoch.value());
      std::string header = request.SerializeAsString();
      Payload copy = payload;  // slices; the bytes are shared
      RpcClient& client = loop->Chunkserver(primary->id, primary->endpoint);
      ClientLoop::Waiting waiting = Wait(loop);
      const TimePoint deadline = std::min(retry.NextDeadline(), limit);  // the call may wait for a connection
      Result<RpcReply> reply = co_await client.Call(method, std::move(header), std::move(copy), deadline);
      if (reply) {
        retry.Succeeded();
        Answer answer{std::move(*reply), pg->epoch};
        co_return answer;
      }
      failure = reply.error();
    }
    if (failure.code() == ErrorCode::kLeaseLost && may_send_until == nullptr) {
      failure = Error(ErrorCode::kUnavailable, failure.message());  // the session goes on, under another number
    }
    CO_TRY(co_await retry.AfterFailure(failure, map));
  }
}

Task<Result<Epoch>> ChunkCalls::Write(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes, Payload payload,
                                      std::vector<BlockChecksum> checksums, bool sync,
                                      const SendLimit& may_send_until) {
  proto::WriteChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.mutable_checksums()->Assign(checksums.begin(), checksums.end());
  request.set_sync(sync);
  Result<Answer> answer = co_await ToPrimary(loop, place, proto::METHOD_WRITE_CHUNK, request, *request.mutable_target(),
                                             std::move(payload), &may_send_until);
  co_return EpochOf(answer);
}

Task<Result<void>> ChunkCalls::Trim(ClientLoop* loop, ChunkPlace place, std::uint32_t length_bytes,
                                    std::uint64_t generation) {
  proto::TrimChunkRequest request;
  request.set_length_bytes(length_bytes);
  request.set_generation(generation);
  Payload none;
  Result<Answer> answer =
      co_await ToPrimary(loop, place, proto::METHOD_TRIM_CHUNK, request, *request.mutable_target(), std::move(none));
  Result<Epoch> epoch = EpochOf(answer);
  if (!epoch) co_return epoch.error();
  co_return Result<void>();
}

Task<Result<Epoch>> ChunkCalls::Zero(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes,
                                     std::uint32_t length_bytes, const SendLimit& may_send_until) {
  proto::ZeroChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(length_bytes);
  Payload none;
  Result<Answer> answer = co_await ToPrimary(loop, place, proto::METHOD_ZERO_CHUNK, request, *request.mutable_target(),
                                             std::move(none), &may_send_until);
  co_return EpochOf(answer);
}

Task<Result<proto::StatChunkReply>> ChunkCalls::Stat(ClientLoop* loop, ChunkPlace place) {
  proto::StatChunkRequest request;
  Payload none;
  Result<Answer> answer =
      co_await ToPrimary(loop, place, proto::METHOD_STAT_CHUNK, request, *request.mutable_target(), std::move(none));
  if (!answer) co_return answer.error();
  proto::StatChunkReply stat;
  if (!stat.ParseFromString(answer->reply.header)) {
    co_return Error(ErrorCode::kProtocol, "METHOD_STAT_CHUNK: the answer does not parse");
  }
  co_return stat;
}

Task<Result<std::vector<ChunkPlace>>> ChunkCalls::Sync(ClientLoop* loop, std::vector<UnsyncedChunk> chunks) {
  std::vector<ChunkPlace> lost;
  if (chunks.empty()) co_return lost;
  Retry retry(*this, loop, chunks.front().place.pg);
  for (;;) {
    ClusterViewPtr map = session_.map();
    Result<std::vector<UnsyncedChunk>> left = co_await SyncRound(loop, chunks, map, retry.NextDeadline());
    Error failure(ErrorCode::kUnavailable, "a placement group has no primary");
    if (left) {
      // Told by the map that the primary agreed with: it synced what it has, which is what was left of ours.
      for (const UnsyncedChunk& chunk : chunks) {
        const ClusterView::Pg* pg = map->FindPg(chunk.place.pg);
        if (pg != nullptr && chunk.since && chunk.since < pg->lost_before) lost.push_back(chunk.place);
      }
      if (left->empty()) {
        retry.Succeeded();
        co_return lost;
      }
      chunks = std::move(*left);
    } else {
      failure = left.error();
    }
    CO_TRY(co_await retry.AfterFailure(failure, map));
  }
}

/// Asks each primary once; what could not be asked for. All chunks are asked for again after a failure: it costs the
/// servers nothing to sync what is synced.
Task<Result<std::vector<UnsyncedChunk>>> ChunkCalls::SyncRound(ClientLoop* loop, std::vector<UnsyncedChunk> chunks,
                                                               ClusterViewPtr map, TimePoint deadline) {
  std::map<ServerId, std::vector<proto::SyncChunksRequest>> requests;
  std::vector<UnsyncedChunk> left;
  for (const UnsyncedChunk& chunk : chunks) {
    const ClusterView::Pg* pg = map->FindPg(chunk.place.pg);
    if (pg == nullptr || map->FindServer(pg->primary) == nullptr) {
      left.push_back(chunk);
      continue;
    }
    std::vector<proto::SyncChunksRequest>& batches = requests[pg->primary];
    if (batches.empty() || batches.back().targets_size() >= kMaxTargetsPerSync) batches.emplace_back();
    proto::ChunkTarget& target = *batches.back().add_targets();
    target.set_chunk_id(chunk.place.chunk.value());
    target.set_pg_id(chunk.place.pg.value());
    target.set_epoch(pg->epoch.value());
  }
  for (const auto& [server, batches] : requests) {
    RpcClient& client = loop->Chunkserver(server, map->FindServer(server)->endpoint);
    for (const proto::SyncChunksRequest& request : batches) {
      ClientLoop::Waiting waiting = Wait(loop);
      Payload none;
      auto reply = co_await CallTyped<proto::SyncChunksReply>(client, proto::METHOD_SYNC_CHUNKS, request,
                                                              std::move(none), deadline);
      if (!reply) co_return reply.error();
    }
  }
  co_return left;
}

void ChunkCalls::ReportBadCopy(ClientLoop* loop, ServerId server, const proto::ChunkTarget& target,
                               const Error& error) {
  const ChunkId chunk(target.chunk_id());
  {
    std::lock_guard lock(reported_mutex_);
    if (reported_.size() >= kMaxReported) reported_.clear();
    if (!reported_.emplace(server, chunk).second) return;
  }
  LogWarning("chunk {}: the copy on chunkserver {} cannot be used ({}); another one is read", chunk.value(),
             server.value(), error.ToString());
  if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kIo) return;
  proto::ScrubChunkRequest request;
  *request.mutable_target() = target;
  request.mutable_target()->set_replica(false);
  session_.tasks().Spawn(loop->env().executor, AskForScrub(loop, std::move(request)));
}

Task<void> ChunkCalls::AskForScrub(ClientLoop* loop, proto::ScrubChunkRequest request) {
  ClusterViewPtr map = session_.map();
  const ClusterView::Pg* pg = map->FindPg(PgId(request.target().pg_id()));
  const ClusterView::Server* primary = pg == nullptr ? nullptr : map->FindServer(pg->primary);
  if (primary == nullptr) co_return;
  request.mutable_target()->set_epoch(pg->epoch.value());
  RpcClient& client = loop->Chunkserver(primary->id, primary->endpoint);
  const TimePoint deadline = loop->Now() + kScrubRequestLimit;
  Payload none;
  auto reply =
      co_await CallTyped<proto::ScrubChunkReply>(client, proto::METHOD_SCRUB_CHUNK, request, std::move(none), deadline);
  if (!reply) LogInfo("chunk {}: its primary was not told: {}", request.target().chunk_id(), reply.error().ToString());
}

}  // namespace gabion
