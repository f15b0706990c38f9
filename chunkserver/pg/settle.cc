#include "chunkserver/pg/settle.h"

#include <algorithm>
#include <map>

#include "chunkserver/pg/equalize.h"
#include "chunkserver/pg/member_ops.h"
#include "common/base/log.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

// Chunks that are made equal at the same time.
constexpr std::size_t kEqualizedAtOnce = 8;

bool IsEqual(const proto::ChunkSummary& a, const proto::ChunkSummary& b) {
  return !a.changing() && !b.changing() && a.exists() == b.exists() && a.length_bytes() == b.length_bytes() &&
         a.trim_generation() == b.trim_generation() && a.digest() == b.digest();
}

class Settling {
 public:
  Settling(DataContext& context, Env& env, Membership::Serving serving)
      : context_(context), env_(env), serving_(std::move(serving)), group_(*serving_.group) {
    auto add = [this](ServerId member) {
      members_.emplace_back(context_, env_, group_.id, group_.epoch, member).MaySpendReserve();
    };
    for (ServerId member : group_.in_sync) {
      if (member != serving_.self) add(member);
    }
    // They may be in sync any moment, by what was reported of them in this epoch.
    for (ServerId joiner : context_.joiners.RequiredIn(group_.id, group_.epoch)) add(joiner);
  }

  Task<std::optional<SettleFailure>> Run() {
    co_await ListAll();
    if (!failure_ && !Mutated("chunk.settle_nothing")) co_await EqualizeAll();
    if (env_.Buggified("chunk.slow_settle")) co_await env_.clock.SleepFor(std::chrono::milliseconds(300));
    if (!failure_) co_await AdoptAll();
    if (!failure_) co_await TellAll();
    co_return failure_;
  }

 private:
  void Fail(ServerId server, const Error& error) {
    if (!failure_) failure_ = SettleFailure{server, error};
  }

  // Own first: what is under way here is seen by whoever asks after BeginSettling.
  Task<void> ListAll() {
    for (ChunkId chunk : context_.pgs.ChangesOf(group_.id)) {
      proto::ChunkSummary& mine = unsettled_[chunk][serving_.self];
      mine.set_changing(true);
    }
    co_await ListOwn();
    for (MemberCalls& member : members_) {
      if (!failure_) co_await ListOf(member);
    }
  }

  Task<void> ListOwn() {
    ListQuery query;
    query.pg = group_.id;
    query.unsettled = true;
    query.max_entries = env_.Buggified("chunk.short_list") ? 1 : kChunksPerCallMax;
    for (bool end = false; !end;) {
      Result<ChunkPage> page = co_await context_.stores.List(query);
      if (!page) co_return Fail(serving_.self, page.error());
      for (const ChunkSummary& chunk : page->chunks) {
        proto::ChunkSummary& mine = unsettled_[chunk.chunk][serving_.self];
        mine.set_exists(chunk.exists);
        mine.set_length_bytes(chunk.length_bytes);
        mine.set_trim_generation(chunk.trim_generation);
        mine.set_digest(chunk.digest);
        query.after = chunk.chunk;
      }
      end = page->end;
    }
  }

  Task<void> ListOf(MemberCalls& member) {
    proto::ListChunksRequest request;
    request.set_unsettled(true);
    request.set_max_entries(env_.Buggified("chunk.short_member_list") ? 1 : kChunksPerCallMax);
    for (bool end = false; !end;) {
      Result<proto::ListChunksReply> reply = co_await member.List(request);
      if (!reply) co_return Fail(member.member(), reply.error());
      std::uint64_t last = request.after_chunk();
      for (const proto::ChunkSummary& chunk : reply->chunks()) {
        unsettled_[ChunkId(chunk.chunk_id())][member.member()] = chunk;
        last = std::max<std::uint64_t>(last, chunk.chunk_id());
      }
      end = reply->end() || last == request.after_chunk();
      request.set_after_chunk(last);
    }
  }

  // Who lacks a chunk in its list may have it all the same: only a summary from everybody says that all are equal.
  bool AllEqual(const std::map<ServerId, proto::ChunkSummary>& summaries) const {
    if (summaries.size() != members_.size() + 1) return false;
    const proto::ChunkSummary& mine = summaries.at(serving_.self);
    return std::all_of(summaries.begin(), summaries.end(),
                       [&](const auto& entry) { return IsEqual(entry.second, mine); });
  }

  Task<void> EqualizeAll() {
    std::vector<ChunkId> different;
    for (const auto& [chunk, summaries] : unsettled_) {
      if (AllEqual(summaries)) {
        Note(chunk, ShapeOf(summaries.at(serving_.self)));
      } else {
        different.push_back(chunk);
      }
    }
    for (auto next = different.begin(); next != different.end() && !failure_;) {
      TaskGroup round;
      for (std::size_t i = 0; i < kEqualizedAtOnce && next != different.end(); ++i) {
        round.Spawn(env_.executor, EqualizeOne(*next++));
      }
      co_await round.Join();
    }
    sent_chunks_ = different.size();
  }

  Task<void> EqualizeOne(ChunkId chunk) {
    ChunkShape shape;
    for (MemberCalls& member : members_) {
      ServerId at_fault;
      Result<Equalized> done = co_await Equalize(context_, member, chunk, true, at_fault);
      if (!done) co_return Fail(at_fault, done.error());
      shape = done->shape;
    }
    if (members_.empty()) {
      RangeLocks::Guard guard = co_await context_.order.Lock(chunk, PageRange::WholeChunk());
      Result<ChunkDigest> mine = co_await context_.stores.Digest(chunk, 0, 1);
      if (!mine) co_return Fail(serving_.self, mine.error());
      shape = {mine->exists, mine->length_bytes, mine->trim_generation};
    }
    // At once, for a try that fails later is not to be for nothing: what is unsettled and equal everywhere costs the
    // next one no call.
    if (const proto::AdoptedChunk* adopted = Note(chunk, shape)) co_await AdoptHere(*adopted);
  }

  static ChunkShape ShapeOf(const proto::ChunkSummary& summary) {
    return {summary.exists(), summary.length_bytes(), summary.trim_generation()};
  }

  /// Null: it is nowhere any more. Valid until the next one.
  const proto::AdoptedChunk* Note(ChunkId chunk, ChunkShape shape) {
    if (!shape.exists) return nullptr;
    proto::AdoptedChunk& adopted = adopted_.emplace_back();
    adopted.set_chunk_id(chunk.value());
    adopted.set_exists(shape.exists);
    adopted.set_length_bytes(shape.length_bytes);
    adopted.set_trim_generation(shape.trim_generation);
    adopted.set_unsettled(true);
    return &adopted;
  }

  Task<void> AdoptHere(proto::AdoptedChunk chunk) {
    AdoptChunk adopted;
    adopted.chunk = ChunkId(chunk.chunk_id());
    adopted.pg = group_.id;
    adopted.epoch = group_.epoch;
    adopted.exists = true;
    adopted.length_bytes = chunk.length_bytes();
    adopted.trim_generation = chunk.trim_generation();
    adopted.unsettled = true;
    Result<void> done = co_await context_.stores.Adopt(env_, adopted);
    if (!done && done.error().code() != ErrorCode::kStale) Fail(serving_.self, done.error());
  }

  // The new epoch for all of them, here as well.
  Task<void> AdoptAll() {
    for (const proto::AdoptedChunk& chunk : adopted_) {
      if (failure_) co_return;
      co_await AdoptHere(chunk);
    }
    for (MemberCalls& member : members_) {
      for (std::size_t first = 0; first < adopted_.size() && !failure_; first += kChunksPerCallMax) {
        proto::AdoptChunksRequest request;
        std::size_t last = std::min<std::size_t>(first + kChunksPerCallMax, adopted_.size());
        for (std::size_t i = first; i < last; ++i) *request.add_chunks() = adopted_[i];
        Result<void> done = co_await member.Adopt(std::move(request));
        if (!done) Fail(member.member(), done.error());
      }
    }
  }

  Task<void> TellAll() {
    for (MemberCalls& member : members_) {
      Result<void> told = co_await member.Settled();
      if (!told) co_return Fail(member.member(), told.error());
    }
    if (!adopted_.empty()) {
      LogInfo("placement group {}: settled in epoch {}: {} chunks unsettled, {} of them looked into", group_.id.value(),
              group_.epoch.value(), adopted_.size(), sent_chunks_);
    }
  }

  DataContext& context_;
  Env& env_;
  const Membership::Serving serving_;
  const MembershipView::Group& group_;
  std::vector<MemberCalls> members_;
  std::map<ChunkId, std::map<ServerId, proto::ChunkSummary>> unsettled_;  // who says what of it
  std::vector<proto::AdoptedChunk> adopted_;
  std::size_t sent_chunks_ = 0;
  std::optional<SettleFailure> failure_;
};

}  // namespace

Task<std::optional<SettleFailure>> Settle(DataContext& context, Env& env, Membership::Serving serving) {
  Settling settling(context, env, std::move(serving));
  co_return co_await settling.Run();
}

}  // namespace gabion
