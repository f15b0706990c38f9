#include "metaserver/session/replay_window.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/env/mutate.h"

namespace gabion {

bool IsFinalFailure(ErrorCode code) {
  return !IsRetryable(code) && code != ErrorCode::kBusy && code != ErrorCode::kWouldBlock &&
         code != ErrorCode::kSessionExpired;
}

Result<ReplayWindow::Answer> ReplayWindow::Check(OpSeq seq, std::uint64_t acked_below, bool with_groups) const {
  const std::uint64_t number = seq.value();
  if (number == 0) return Error(ErrorCode::kInvalidArgument, "a mutation needs a sequence number");
  if (acked_below > number) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("op {} says that it was acknowledged itself (below {})", number, acked_below));
  }
  if (number < floor_) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("op {} was acknowledged before (everything below {} was)", number, floor_));
  }
  if (number - std::max(floor_, acked_below) >= kMaxWidth) {
    return Error(ErrorCode::kOverloaded,
                 fmt::format("op {} is more than {} ahead of the oldest unacknowledged one", number, kMaxWidth));
  }
  if (Mutated("meta.replay_forgets")) return Answer{Verdict::kNew, std::nullopt};
  if (stored_.Contains(number)) return Answer{Verdict::kStored, std::nullopt};
  if (auto found = remembered_.find(number); found != remembered_.end()) {
    if (found->second.may_retry_with_groups && with_groups) return Answer{Verdict::kNew, std::nullopt};
    return Answer{Verdict::kRemembered, found->second.outcome};
  }
  if (dropped_.Contains(number)) {
    return Error(ErrorCode::kStale, fmt::format("op {} was answered, and the answer is no longer known", number));
  }
  return Answer{Verdict::kNew, std::nullopt};
}

void ReplayWindow::Acknowledge(std::uint64_t acked_below) {
  if (acked_below <= floor_) return;
  floor_ = acked_below;
  remembered_.erase(remembered_.begin(), remembered_.lower_bound(floor_));
  dropped_.RemoveBelow(floor_);
}

void ReplayWindow::RecordOutcome(OpSeq seq, Outcome outcome, bool with_groups) {
  const Error* failure = std::get_if<Error>(&outcome);
  const bool denied = failure != nullptr &&
                      (failure->code() == ErrorCode::kPermissionDenied || failure->code() == ErrorCode::kNotPermitted);
  remembered_.insert_or_assign(seq.value(), Remembered{std::move(outcome), denied && !with_groups});
  while (remembered_.size() > kMaxRemembered) {
    dropped_.Insert(remembered_.begin()->first);
    remembered_.erase(remembered_.begin());
  }
}

std::vector<OpSeq> ReplayWindow::PurgeCandidates(std::uint64_t acked_below) const {
  const std::uint64_t limit = std::max(floor_, acked_below);
  std::vector<OpSeq> candidates;
  std::optional<std::uint64_t> next = stored_.NextFrom(0);
  while (next && *next < limit && candidates.size() < kMaxPurgePerCommit) {
    candidates.push_back(OpSeq(*next));
    next = stored_.NextFrom(*next + 1);
  }
  return candidates;
}

void ReplayWindow::RecordPurged(const std::vector<OpSeq>& purged) {
  // Candidates are the least members, in order.
  for (OpSeq seq : purged) {
    CHECK(stored_.Min() == seq.value());
    stored_.RemoveMin();
  }
}

}  // namespace gabion
