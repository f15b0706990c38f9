#include "fs-client/io/chunk_retry.h"

#include "common/env/mutate.h"

namespace gabion {
namespace {

// A write that was garbled on its way, or hit a disk that is just being given up, is tried so often before it fails.
constexpr unsigned kMaxTriesAfterDamage = 8;
// A placement group gets another member in the place of one whose disk is full: so long a change waits for that,
constexpr Duration kSpacePatience = std::chrono::seconds(5);
// and so long after one has waited in vain others do not.
constexpr Duration kSpaceDespair = std::chrono::seconds(30);

bool IsDamage(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kIo;
}

}  // namespace

TimePoint ChunkCalls::Retry::NextDeadline() {
  if (loop_->env().Buggified("client.give_up_data")) return loop_->Now() + std::chrono::milliseconds(1);
  return patience_.Limit(limit_.Next(loop_->Now()));
}

Task<Result<void>> ChunkCalls::Retry::AfterFailure(Error error, ClusterViewPtr seen) {
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

bool ChunkCalls::Retry::HopesForSpace(ErrorCode code) {
  const TimePoint now = loop_->Now();
  if (code != ErrorCode::kNoSpace) full_since_.reset();
  if (code != ErrorCode::kNoSpace || now < TimePoint{calls_.no_space_until_ns_.load()}) return false;
  if (!full_since_) full_since_ = now;
  if (now - *full_since_ < kSpacePatience) return true;
  calls_.no_space_until_ns_ = (now + kSpaceDespair).ns;
  return false;
}

}  // namespace gabion
