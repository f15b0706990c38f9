#include "chunkserver/pg/join.h"

#include <algorithm>
#include <map>

#include "chunkserver/pg/equalize.h"
#include "chunkserver/pg/member_ops.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

// Beside clients: for each second of work so many of rest.
constexpr int kRestFactor = 3;
constexpr Duration kRestMax = std::chrono::seconds(2);

class Joining {
 public:
  Joining(DataContext& context, Env& env, Membership::Serving serving, MembershipView::Joiner joiner,
          JoinProgress& progress)
      : context_(context),
        env_(env),
        serving_(std::move(serving)),
        group_(*serving_.group),
        joiner_(joiner),
        member_(context, env, group_.id, group_.epoch, joiner.server),
        progress_(progress) {}

  Task<Result<void>> Run() {
    if (Mutated("chunk.join_at_once")) co_return Result<void>();
    Result<void> listed = co_await ListTheirs();
    if (!listed) co_return listed;
    // From here on what is changed reaches it, or is noted as missed: so the list of what was changed before is made
    // after it.
    context_.joiners.Reached(group_.id, group_.epoch, joiner_.server);
    listed = co_await ListOurs();
    if (!listed) co_return listed;
    do {
      Result<void> sent = co_await SendAll();
      if (!sent) co_return sent;
      CO_TRY(CheckEpoch());  // in one that is over it would never be required
      for (ChunkId chunk : context_.joiners.TakeMissed(group_.id, group_.epoch, joiner_.server)) Add(chunk, 0);
      context_.joiners.Reached(group_.id, group_.epoch, joiner_.server);
    } while (!missing_.empty() || !context_.joiners.Require(group_.id, group_.epoch, joiner_.server));
    co_return co_await member_.Sync();
  }

 private:
  void Add(ChunkId chunk, std::uint64_t length_bytes) {
    if (!missing_.emplace(chunk, length_bytes).second) return;
    ++progress_.chunks_left;
    progress_.bytes_left += length_bytes;
  }

  /// What it may have that we have not, or otherwise.
  Task<Result<void>> ListTheirs() {
    proto::ListChunksRequest request;
    request.set_unsettled(true);
    request.set_by_epoch(true);
    request.set_after_epoch(joiner_.since.value());
    request.set_max_entries(env_.Buggified("chunk.short_join_list") ? 1 : kChunksPerCallMax);
    for (bool end = false; !end;) {
      Result<proto::ListChunksReply> reply = co_await member_.List(request);
      if (!reply) co_return reply.error();
      std::uint64_t last = request.after_chunk();
      for (const proto::ChunkSummary& chunk : reply->chunks()) {
        Add(ChunkId(chunk.chunk_id()), 0);
        last = std::max<std::uint64_t>(last, chunk.chunk_id());
      }
      end = reply->end() || last == request.after_chunk();
      request.set_after_chunk(last);
    }
    co_return Result<void>();
  }

  Task<Result<void>> ListOurs() {
    ListQuery query;
    query.pg = group_.id;
    query.by_epoch = true;
    query.after_epoch = joiner_.since;
    query.max_entries = env_.Buggified("chunk.short_join_list") ? 1 : kChunksPerCallMax;
    for (bool end = false; !end;) {
      Result<ChunkPage> page = co_await context_.stores.List(query);
      if (!page) co_return page.error();
      for (const ChunkSummary& chunk : page->chunks) {
        Add(chunk.chunk, chunk.length_bytes);
        query.after = chunk.chunk;
      }
      end = page->end;
    }
    co_return Result<void>();
  }

  Task<Result<void>> SendAll() {
    while (!missing_.empty()) {
      if (context_.membership.view()->version() != serving_.view->version()) CO_TRY(CheckEpoch());
      auto [chunk, length_bytes] = *missing_.begin();
      TimePoint began = env_.clock.Now();
      std::uint64_t clients = context_.admission.client_calls();
      ServerId at_fault;
      Result<Equalized> done = co_await Equalize(context_, member_, chunk, false, at_fault);
      if (!done) co_return done.error();
      missing_.erase(chunk);
      --progress_.chunks_left;
      progress_.bytes_left -= length_bytes;
      progress_.bytes_sent += done->sent_bytes;
      if (env_.Buggified("chunk.slow_join")) co_await env_.clock.SleepFor(std::chrono::milliseconds(500));
      if (context_.admission.client_calls() == clients) continue;
      Duration rest = std::min<Duration>((env_.clock.Now() - began) * kRestFactor, kRestMax);
      co_await env_.clock.SleepFor(rest);
    }
    co_return Result<void>();
  }

  Result<void> CheckEpoch() {
    TRY_ASSIGN(serving_, context_.membership.CheckGroup(group_.id, group_.epoch, env_.clock.Now()));
    return {};
  }

  DataContext& context_;
  Env& env_;
  Membership::Serving serving_;
  const MembershipView::Group group_;
  const MembershipView::Joiner joiner_;
  MemberCalls member_;
  JoinProgress& progress_;
  std::map<ChunkId, std::uint64_t> missing_;  // with its length, for the progress
};

}  // namespace

Task<Result<void>> Join(DataContext& context, Env& env, Membership::Serving serving, MembershipView::Joiner joiner,
                        JoinProgress& progress) {
  Joining joining(context, env, std::move(serving), joiner, progress);
  co_return co_await joining.Run();
}

}  // namespace gabion
