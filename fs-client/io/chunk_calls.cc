#include "fs-client/io/chunk_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "fs-client/session/interruption.h"
#include "fs-client/session/retry_limits.h"

namespace gabion {
namespace {

// While other copies are left to ask, a slow one is not waited for longer.
constexpr Duration kReadLimitWithAlternatives = std::chrono::seconds(2);
// A write that was garbled on its way, or hit a disk that is just being given up, is tried so often before it fails.
constexpr unsigned kMaxTriesAfterDamage = 8;
// A placement group gets another member in the place of one whose disk is full: so long a change waits for that,
constexpr Duration kSpacePatience = std::chrono::seconds(5);
// and so long after one has waited in vain others do not.
constexpr Duration kSpaceDespair = std::chrono::seconds(30);
constexpr std::size_t kMaxReported = 1024;
// Who has waited longer may wait for a server that is dead, or no primary any more: the map tells.
constexpr Duration kWatchInterval = std::chrono::milliseconds(500);
// Chunks of one SyncChunks, 256 GiB of a file: far within what one header may hold.
constexpr int kMaxTargetsPerSync = 4096;

bool IsDamage(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kIo;
}

}  // namespace

/// The epoch that a change was answered in. A chunk that was removed with its file, or replaced when another client cut
/// the file, takes no change any more, and none is missed: whoever commits what was written there learns that the file
/// has changed, and stores it again where it belongs.
Result<Epoch> ChunkCalls::EpochOf(const Result<Answer>& answer) {
  if (answer) return answer->epoch;
  if (answer.error().code() == ErrorCode::kStale) return Epoch();
  return answer.error();
}

/// Paces the tries of one request and decides when to ask for a newer map.
class ChunkCalls::Retry {
 public:
  Retry(ChunkCalls& calls, ClientLoop* loop, PgId pg)
      : calls_(calls), loop_(loop), pg_(pg), patience_(calls.session_.NewPatience(loop)) {}

  TimePoint NextDeadline() {
    if (loop_->env().Buggified("client.give_up_data")) return loop_->Now() + std::chrono::milliseconds(1);
    return patience_.Limit(limit_.Next(loop_->Now()));
  }

  void Succeeded() { calls_.outages_.Succeeded(pg_.value(), loop_->Now()); }

  /// Waits until another try makes sense. Errors: `error`, if it is for good; kCancelled; kIo (given up).
  Task<Result<void>> AfterFailure(Error error, ClusterViewPtr seen) {
    MetaSession& session = calls_.session_;
    ErrorCode code = error.code();
    if (session.stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    bool damage = IsDamage(code) && ++damaged_ < kMaxTriesAfterDamage;
    if (Mutated("client.no_retry")) co_return error;
    if (!IsRetryable(code) && !damage && code != ErrorCode::kCancelled && !HopesForSpace(code)) co_return error;
    calls_.outages_.Failed(pg_.value(), loop_->Now(), error);
    if (patience_.IsOver(loop_->Now())) co_return patience_.GaveUp(error);

    if (!loop_->env().Buggified("client.old_map")) co_await session.RefreshMap(loop_, seen->version());
    ClusterViewPtr now = session.map();
    const ClusterView::Pg* before = seen->FindPg(pg_);
    const ClusterView::Pg* after = now->FindPg(pg_);
    bool moved = after != nullptr && (before == nullptr || before->epoch != after->epoch);
    if (!moved) co_await loop_->env().clock.SleepFor(backoff_.Next(loop_->env().random));
    co_return Result<void>();
  }

 private:
  bool HopesForSpace(ErrorCode code) {
    const TimePoint now = loop_->Now();
    if (code != ErrorCode::kNoSpace || now < TimePoint{calls_.no_space_until_ns_.load()}) return false;
    if (!full_since_) full_since_ = now;
    if (now - *full_since_ < kSpacePatience) return true;
    calls_.no_space_until_ns_ = (now + kSpaceDespair).ns;
    return false;
  }

  ChunkCalls& calls_;
  ClientLoop* loop_;
  const PgId pg_;
  const Patience patience_;
  AttemptLimit limit_;
  std::optional<TimePoint> full_since_;
  Backoff backoff_ = MakeRetryBackoff();
  unsigned damaged_ = 0;
};

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
                                                       proto::ChunkTarget& target, Payload payload) {
  target.set_chunk_id(place.chunk.value());
  target.set_pg_id(place.pg.value());
  Retry retry(*this, loop, place.pg);
  for (;;) {
    ClusterViewPtr map = session_.map();
    const ClusterView::Pg* pg = map->FindPg(place.pg);
    const ClusterView::Server* primary = pg == nullptr ? nullptr : map->FindServer(pg->primary);
    Error failure(ErrorCode::kUnavailable, fmt::format("placement group {} has no primary", place.pg.value()));
    if (primary != nullptr) {
      target.set_epoch(Mutated("client.no_epoch") ? 0 : pg->epoch.value());
      std::string header = request.SerializeAsString();
      Payload copy = payload;  // slices; the bytes are shared
      RpcClient& client = loop->Chunkserver(primary->id, primary->endpoint);
      ClientLoop::Waiting waiting = Wait(loop);
      Result<RpcReply> reply = co_await client.Call(method, std::move(header), std::move(copy), retry.NextDeadline());
      if (reply) {
        retry.Succeeded();
        Answer answer{std::move(*reply), pg->epoch};
        co_return answer;
      }
      failure = reply.error();
    }
    CO_TRY(co_await retry.AfterFailure(failure, map));
  }
}

Task<Result<Epoch>> ChunkCalls::Write(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes, Payload payload,
                                      std::vector<BlockChecksum> checksums, bool sync) {
  proto::WriteChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.mutable_checksums()->Assign(checksums.begin(), checksums.end());
  request.set_sync(sync);
  Result<Answer> answer = co_await ToPrimary(loop, place, proto::METHOD_WRITE_CHUNK, request, *request.mutable_target(),
                                             std::move(payload));
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
                                     std::uint32_t length_bytes) {
  proto::ZeroChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(length_bytes);
  Payload none;
  Result<Answer> answer =
      co_await ToPrimary(loop, place, proto::METHOD_ZERO_CHUNK, request, *request.mutable_target(), std::move(none));
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

Task<Result<Slice>> ChunkCalls::ReadFrom(ClientLoop* loop, ClusterView::Server server, proto::ReadChunkRequest request,
                                         TimePoint deadline) {
  RpcClient& client = loop->Chunkserver(server.id, server.endpoint);
  ClientLoop::Waiting waiting = Wait(loop);
  Payload none;
  auto reply =
      co_await CallTyped<proto::ReadChunkReply>(client, proto::METHOD_READ_CHUNK, request, std::move(none), deadline);
  if (!reply) co_return reply.error();
  Slice blocks = reply->payload.Joined();  // contiguous as it comes: nothing is copied
  if (blocks.size() > request.length_bytes()) {
    co_return Error(ErrorCode::kProtocol, fmt::format("{} bytes for {}", blocks.size(), request.length_bytes()));
  }
  std::vector<BlockChecksum> found = PieceChecksums(request.offset_bytes(), blocks.span());
  const auto& expected = reply->message.checksums();
  if (!std::equal(found.begin(), found.end(), expected.begin(), expected.end())) {
    co_return Error(ErrorCode::kCorrupt,
                    fmt::format("block checksums do not match in [{}, +{})", request.offset_bytes(), blocks.size()));
  }
  co_return blocks;
}

Task<Result<Slice>> ChunkCalls::Read(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes,
                                     std::uint32_t length_bytes) {
  Retry retry(*this, loop, place.pg);
  proto::ReadChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(length_bytes);
  request.mutable_target()->set_chunk_id(place.chunk.value());
  request.mutable_target()->set_pg_id(place.pg.value());
  for (;;) {
    ClusterViewPtr map = session_.map();
    const ClusterView::Pg* pg = map->FindPg(place.pg);
    std::vector<const ClusterView::Server*> copies;
    for (ServerId member : pg == nullptr ? std::vector<ServerId>() : pg->in_sync) {
      if (const auto* server = map->FindServer(member)) copies.push_back(server);
    }
    std::stable_partition(copies.begin(), copies.end(), [loop](const ClusterView::Server* server) {
      return server->alive && !loop->Suspected(server->id);
    });

    if (copies.size() > 1 && loop->env().Buggified("client.other_copy"))
      std::rotate(copies.begin(), copies.begin() + 1, copies.end());
    Error failure(ErrorCode::kUnavailable, fmt::format("placement group {} has no copy in reach", place.pg.value()));
    bool may_come_back = copies.empty();
    for (std::size_t i = 0; i < copies.size(); ++i) {
      const ClusterView::Server& server = *copies[i];
      request.mutable_target()->set_epoch(pg->epoch.value());
      request.mutable_target()->set_replica(server.id != pg->primary);
      TimePoint deadline = i + 1 < copies.size() ? loop->Now() + kReadLimitWithAlternatives : retry.NextDeadline();
      Result<Slice> blocks = co_await ReadFrom(loop, server, request, deadline);
      if (blocks) {
        loop->Trust(server.id);
        retry.Succeeded();
        co_return blocks;
      }
      ErrorCode code = blocks.error().code();
      if (!may_come_back) failure = blocks.error();
      if (IsRetryable(code) || code == ErrorCode::kCancelled) may_come_back = true;
      if (code == ErrorCode::kStaleEpoch) {
        failure = blocks.error();
        break;
      }
      if (IsRetryable(code)) {
        loop->Suspect(server.id);
      } else if (code != ErrorCode::kCancelled) {
        ReportBadCopy(server.id, place.chunk, blocks.error());
      }
    }
    if (!may_come_back) {
      co_return Error(ErrorCode::kIo,
                      fmt::format("chunk {}: no good copy: {}", place.chunk.value(), failure.ToString()));
    }
    asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (Interrupted(cancellation)) co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
    if (!IsRetryable(failure.code())) failure = Error(ErrorCode::kUnavailable, failure.message());
    CO_TRY(co_await retry.AfterFailure(failure, map));
  }
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

void ChunkCalls::ReportBadCopy(ServerId server, ChunkId chunk, const Error& error) {
  {
    std::lock_guard lock(reported_mutex_);
    if (reported_.size() >= kMaxReported) reported_.clear();
    if (!reported_.emplace(server, chunk).second) return;
  }
  LogWarning("chunk {}: the copy on chunkserver {} cannot be used ({}); another one is read", chunk.value(),
             server.value(), error.ToString());
}

}  // namespace gabion
