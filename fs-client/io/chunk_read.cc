// Reads of chunks: from one copy, or from two when the first one is slow ("hedged").
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fs-client/io/chunk_calls.h"
#include "fs-client/io/chunk_retry.h"
#include "fs-client/io/read_race.h"
#include "fs-client/session/interruption.h"

namespace gabion {
namespace {

// While other copies are left to ask, a slow one is not waited for longer.
constexpr Duration kReadLimitWithAlternatives = std::chrono::seconds(2);
// Calls of one read that may be under way.
constexpr std::size_t kMaxAtOnce = 2;

}  // namespace

/// One try of a read: the copies of one map, one after the other; a second one beside the first if that is slow and the
/// budget has room. Lives in the reader, on its loop.
class ChunkCalls::ReadRound {
 public:
  /// `request` has all but epoch and replica. Calls of the rounds before may still be in the race.
  ReadRound(ChunkCalls& calls, ClientLoop* loop, std::shared_ptr<ReadRace> race, std::size_t number,
            const ClusterView& map, proto::ReadChunkRequest request);

  /// Errors: one that asks for another try, if may_come_back(); else what is wrong with the best copy.
  Task<Result<Slice>> Run(Retry& retry);
  bool may_come_back() const { return may_come_back_; }

 private:
  bool GoesOnAfter(const Error& error);
  bool MayHedge() const;
  bool WantsAnother();
  void Ask(Retry& retry);
  Task<void> AwaitFinish();

  ChunkCalls& calls_;
  ClientLoop* const loop_;
  const std::shared_ptr<ReadRace> race_;
  const std::size_t number_;
  proto::ReadChunkRequest request_;
  ServerId primary_;
  std::vector<ClusterView::Server> copies_;  // in the order of asking
  std::size_t asked_ = 0;
  std::size_t running_ = 0;  // of this round
  std::size_t wanted_ = 1;   // to run at once
  bool no_budget_ = false;
  TimePoint hedge_at_;
  bool may_come_back_;
  Error failure_;
};

ChunkCalls::ReadRound::ReadRound(ChunkCalls& calls, ClientLoop* loop, std::shared_ptr<ReadRace> race,
                                 std::size_t number, const ClusterView& map, proto::ReadChunkRequest request)
    : calls_(calls),
      loop_(loop),
      race_(std::move(race)),
      number_(number),
      request_(std::move(request)),
      failure_(ErrorCode::kUnavailable,
               fmt::format("placement group {} has no copy in reach", request_.target().pg_id())) {
  const ClusterView::Pg* pg = map.FindPg(PgId(request_.target().pg_id()));
  if (pg != nullptr) {
    primary_ = pg->primary;
    request_.mutable_target()->set_epoch(pg->epoch.value());
    for (ServerId member : pg->in_sync) {
      if (const ClusterView::Server* server = map.FindServer(member)) copies_.push_back(*server);
    }
  }
  std::stable_partition(copies_.begin(), copies_.end(), [loop](const ClusterView::Server& server) {
    return server.alive && !loop->Suspected(server.id);
  });
  may_come_back_ = copies_.empty();
  if (copies_.size() > 1 && loop->env().Buggified("client.other_copy")) {
    const std::uint64_t passed_over = 1 + loop->env().random.Below(copies_.size() - 1);
    std::rotate(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(passed_over), copies_.end());
  }
  if (copies_.size() > 1 && loop->env().Buggified("client.hedge_at_once")) wanted_ = kMaxAtOnce;
}

Task<Result<Slice>> ChunkCalls::ReadRound::Run(Retry& retry) {
  for (;;) {
    // A good copy is one in whatever round it was asked for: it answered after this read began.
    while (std::optional<ReadRace::Finish> finish = race_->Take()) {
      if (finish->blocks) co_return std::move(finish->blocks);
      if (finish->round != number_) continue;
      --running_;
      if (!GoesOnAfter(finish->blocks.error())) co_return failure_;
    }
    if (WantsAnother()) {
      Ask(retry);
    } else if (running_ > 0) {
      co_await AwaitFinish();
    } else {
      co_return failure_;
    }
  }
}

/// False if another map is needed first.
bool ChunkCalls::ReadRound::GoesOnAfter(const Error& error) {
  const ErrorCode code = error.code();
  if (!may_come_back_ || code == ErrorCode::kStaleEpoch) failure_ = error;
  if (IsRetryable(code) || code == ErrorCode::kCancelled) may_come_back_ = true;
  return code != ErrorCode::kStaleEpoch;
}

bool ChunkCalls::ReadRound::MayHedge() const {
  return running_ > 0 && wanted_ < kMaxAtOnce && !no_budget_ && asked_ < copies_.size() &&
         race_->running() < kMaxAtOnce;
}

bool ChunkCalls::ReadRound::WantsAnother() {
  if (MayHedge() && loop_->Now() >= hedge_at_) {
    no_budget_ = !loop_->hedge_budget().Spend();
    if (!no_budget_) wanted_ = kMaxAtOnce;
  }
  if (asked_ == copies_.size() || running_ >= wanted_) return false;
  return running_ == 0 || race_->running() < kMaxAtOnce;
}

void ChunkCalls::ReadRound::Ask(Retry& retry) {
  const ClusterView::Server& server = copies_[asked_++];
  const TimePoint now = loop_->Now();
  request_.mutable_target()->set_replica(server.id != primary_);
  hedge_at_ = now + loop_->hedge_delay().Get();
  const TimePoint deadline = asked_ < copies_.size() ? now + kReadLimitWithAlternatives : retry.NextDeadline();
  ++running_;
  calls_.session_.tasks().Spawn(loop_->env().executor,
                                calls_.AskCopy(loop_, ReadRace::Entry(race_, number_), server, request_, deadline));
}

Task<void> ChunkCalls::ReadRound::AwaitFinish() {
  std::optional<ClientLoop::Alarm> alarm;
  if (MayHedge()) {
    alarm.emplace(*loop_, hedge_at_, race_->wait());
    if (!loop_->StartRinging()) calls_.session_.tasks().Spawn(loop_->env().executor, loop_->RingAlarms());
  }
  co_await race_->wait().Wait();
}

Task<Result<Slice>> ChunkCalls::Read(ClientLoop* loop, ChunkPlace place, std::uint32_t offset_bytes,
                                     std::uint32_t length_bytes) {
  Retry retry(*this, loop, place.pg);
  proto::ReadChunkRequest request;
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(length_bytes);
  request.mutable_target()->set_chunk_id(place.chunk.value());
  request.mutable_target()->set_pg_id(place.pg.value());
  loop->hedge_budget().Earn();
  auto race = std::make_shared<ReadRace>();
  for (std::size_t number = 0;; ++number) {
    ClusterViewPtr map = session_.map();
    ReadRound round(*this, loop, race, number, *map, request);
    Result<Slice> blocks = co_await round.Run(retry);
    if (blocks) {
      retry.Succeeded();
      co_return blocks;
    }
    Error failure = blocks.error();
    if (!round.may_come_back()) {
      co_return Error(ErrorCode::kIo,
                      fmt::format("chunk {}: no good copy: {}", place.chunk.value(), failure.ToString()));
    }
    asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (Interrupted(cancellation)) co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
    if (!IsRetryable(failure.code())) failure = Error(ErrorCode::kUnavailable, failure.message());
    CO_TRY(co_await retry.AfterFailure(failure, map));
  }
}

/// Asks one copy for a reader that may have another answer by then, and notes what it says of its server.
Task<void> ChunkCalls::AskCopy(ClientLoop* loop, ReadRace::Entry entry, ClusterView::Server server,
                               proto::ReadChunkRequest request, TimePoint deadline) {
  const TimePoint asked = loop->Now();
  Result<Slice> blocks = co_await ReadFrom(loop, server, request, deadline);
  const ErrorCode code = blocks ? ErrorCode::kOk : blocks.error().code();
  // A member that is not the primary sends its callers there while a chunk changes: it is well. One that cannot be
  // reached says so at the deadline.
  const bool sent_on = code == ErrorCode::kUnavailable && request.target().replica() && loop->Now() < deadline;
  if (blocks) {
    loop->Trust(server.id);
    loop->hedge_delay().Answered(loop->Now() - asked);
  } else if (IsRetryable(code)) {
    if (code != ErrorCode::kStaleEpoch && !sent_on) loop->Suspect(server.id);
  } else if (code != ErrorCode::kCancelled) {
    ReportBadCopy(loop, server.id, request.target(), blocks.error());
  }
  entry.Finish(std::move(blocks));
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

}  // namespace gabion
