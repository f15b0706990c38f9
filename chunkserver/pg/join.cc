#include "chunkserver/pg/join.h"

#include <algorithm>
#include <map>

#include "chunkserver/pg/background_pace.h"
#include "chunkserver/pg/equalize.h"
#include "chunkserver/pg/member_ops.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

// What fails is tried again as long as something has succeeded within this time: with a million chunks to compare, a
// call that goes amiss now and then must not be the end of all.
constexpr Duration kJoinPatience = std::chrono::seconds(4);
constexpr Duration kJoinRetryPause = std::chrono::milliseconds(50);

class Joining {
 public:
  Joining(DataContext& context, Env& env, Membership::Serving serving, MembershipView::Joiner joiner,
          JoinProgress& progress, ServerId& at_fault)
      : context_(context),
        env_(env),
        serving_(std::move(serving)),
        group_(*serving_.group),
        joiner_(joiner),
        member_(context, env, group_.id, group_.epoch, joiner.server),
        progress_(progress),
        at_fault_(at_fault),
        last_success_(env.clock.Now()) {}

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
      if (!reply) {
        const bool again = co_await MayTryAgain(reply.error());
        if (again) continue;
        co_return reply.error();
      }
      last_success_ = env_.clock.Now();
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
      const BackgroundPace pace(context_.admission, env_.clock);
      Result<Equalized> done = co_await Equalize(context_, member_, chunk, false, at_fault_);
      if (!done) {
        const bool again = co_await MayTryAgain(done.error());
        if (again) continue;
        co_return done.error();
      }
      at_fault_ = joiner_.server;
      missing_.erase(chunk);
      --progress_.chunks_left;
      progress_.bytes_left -= length_bytes;
      progress_.bytes_sent += done->sent_bytes;
      if (env_.Buggified("chunk.slow_join")) co_await env_.clock.SleepFor(std::chrono::milliseconds(500));
      const Duration rest = pace.Rest();
      if (rest > Duration(0)) co_await env_.clock.SleepFor(rest);
      last_success_ = env_.clock.Now();
    }
    co_return Result<void>();
  }

  Task<bool> MayTryAgain(Error error) {
    const ErrorCode code = error.code();
    if (code == ErrorCode::kStaleEpoch || code == ErrorCode::kNoSpace || code == ErrorCode::kCancelled) co_return false;
    if (env_.clock.Now() - last_success_ >= kJoinPatience) co_return false;
    co_await env_.clock.SleepFor(kJoinRetryPause);
    co_return true;
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
  ServerId& at_fault_;
  TimePoint last_success_;                    // of a call, or the beginning
  std::map<ChunkId, std::uint64_t> missing_;  // with its length, for the progress
};

}  // namespace

Task<Result<void>> Join(DataContext& context, Env& env, Membership::Serving serving, MembershipView::Joiner joiner,
                        JoinProgress& progress, ServerId& at_fault) {
  at_fault = joiner.server;
  Joining joining(context, env, std::move(serving), joiner, progress, at_fault);
  co_return co_await joining.Run();
}

}  // namespace gabion
