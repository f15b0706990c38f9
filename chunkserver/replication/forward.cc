#include "chunkserver/replication/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <asio/post.hpp>

#include "common/env/mutate.h"

namespace gabion {
namespace {

// Time for the answer to travel back, at most.
constexpr Duration kAnswerMarginMax = std::chrono::milliseconds(100);
// Through the loop's queue so often: the calls are made in the first turn, and sent in the second.
constexpr int kTurnsToSend = 2;

Error ForCaller(ServerId member, const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNoSpace:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kStale:
      return error;
    default:
      return {ErrorCode::kUnavailable, fmt::format("chunkserver {}: {}", member.value(), error.ToString())};
  }
}

}  // namespace

bool OutcomeIsKnown(ErrorCode code) {
  return code != ErrorCode::kConnectionLost && code != ErrorCode::kDeadlineExceeded && code != ErrorCode::kCancelled &&
         code != ErrorCode::kProtocol;
}

ForwardRound::ForwardRound(DataContext& context, Env& env, TimePoint deadline)
    : context_(context),
      env_(env),
      deadline_(deadline - std::min(kAnswerMarginMax, std::max(Duration::zero(), deadline - env.clock.Now()) / 4)) {}

void ForwardRound::Send(ServerId member, proto::Method method, std::string header, Payload payload,
                        std::optional<Optional> optional) {
  ++running_;
  context_.tasks.Spawn(env_.executor, Run(*this, member, method, std::move(header), std::move(payload), optional));
}

Task<void> ForwardRound::Run(ForwardRound& round, ServerId member, proto::Method method, std::string header,
                             Payload payload, std::optional<Optional> optional) {
  DataContext& context = round.context_;
  if (round.env_.Buggified("chunk.slow_forward")) co_await round.env_.clock.SleepFor(std::chrono::milliseconds(50));
  Result<RpcReply> reply =
      co_await context.peers.Call(round.env_, member, method, std::move(header), std::move(payload), round.deadline_);
  if (!reply) {
    if (!OutcomeIsKnown(reply.error().code())) context.fences.Raise(member);
    if (reply.error().code() == ErrorCode::kNoSpace) round.full_.push_back(member);
    bool counts = !optional || context.joiners.Missed(optional->pg, optional->epoch, member, optional->chunk);
    if (counts && !round.error_ && !Mutated("chunk.forget_failed")) round.error_ = ForCaller(member, reply.error());
  }
  if (--round.running_ == 0) round.done_.Resume();
}

Task<void> ForwardRound::Flush() {
  if (running_ == 0) co_return;
  for (int turn = 0; turn < kTurnsToSend; ++turn) co_await asio::post(env_.executor, asio::use_awaitable);
}

Task<Result<void>> ForwardRound::Join() {
  if (running_ > 0) co_await done_.Wait();
  if (error_) co_return *error_;
  co_return Result<void>();
}

}  // namespace gabion
