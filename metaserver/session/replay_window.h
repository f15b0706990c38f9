#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "metaserver/session/interval_set.h"

namespace gabion {

/// What one session's mutations came to, so that a repeated one is answered and not executed again (DESIGN 4.3). Ops of
/// a session come over several connections and so in any order. On the volume's strand.
///
/// Three kinds of outcome:
/// - changed the store: its reply was stored with the change, in one commit. Here is only that it happened.
/// - succeeded without a change in the store (an open), or failed for good: remembered here, and lost with the process.
/// That
///   is enough: what could be executed a second time by then is only an op whose answer the client never saw, for a
///   duplicate of an answered op died with the connection that carried it.
/// - failed in a way that asks for another try (IsRetryable, BUSY): not remembered; the client tries again under the
/// same
///   number. So does one that was denied without the caller's supplementary groups and comes back with them.
///
/// What the client acknowledged is forgotten, and refused if it comes again.
class ReplayWindow {
 public:
  /// How far ahead of the oldest unacknowledged op a session may get. Runs are stored, so the width costs nothing.
  static constexpr std::uint64_t kMaxWidth = 1 << 20;
  /// Outcomes kept in memory; when there are more the oldest are dropped, and their repetition is refused.
  static constexpr std::size_t kMaxRemembered = 4096;
  /// Stored replies that one commit may remove: more than one, so that the window closes.
  static constexpr std::size_t kMaxPurgePerCommit = 8;

  enum class Verdict { kNew, kStored, kRemembered };
  using Outcome = std::variant<std::string, Error>;  // an encoded reply or the failure
  struct Answer {
    Verdict verdict = Verdict::kNew;
    std::optional<Outcome> outcome;  // kRemembered
  };

  /// What is to be done with op `seq`. Errors: kInvalidArgument (0, or acknowledged before, or `acked_below` beyond
  /// `seq`), kStale (answered, and the answer is no longer known), kOverloaded (too far ahead of the oldest
  /// unacknowledged op).
  Result<Answer> Check(OpSeq seq, std::uint64_t acked_below, bool with_groups) const;

  /// Every op from 1 to below it has been acknowledged.
  std::uint64_t floor() const { return floor_; }
  void Acknowledge(std::uint64_t acked_below);

  /// The op changed the store, and its reply is stored.
  void RecordStored(OpSeq seq) { stored_.Insert(seq.value()); }
  void RecordOutcome(OpSeq seq, Outcome outcome, bool with_groups);

  /// Stored replies that nobody will ask for, at most kMaxPurgePerCommit: to be deleted with the next commit.
  std::vector<OpSeq> PurgeCandidates(std::uint64_t acked_below) const;
  /// They were deleted.
  void RecordPurged(const std::vector<OpSeq>& purged);

  std::size_t remembered_count() const { return remembered_.size(); }

 private:
  struct Remembered {
    Outcome outcome;
    bool may_retry_with_groups = false;
  };

  std::uint64_t floor_ = 1;
  IntervalSet stored_;  // also below the floor, until purged
  std::map<std::uint64_t, Remembered> remembered_;
  IntervalSet dropped_;  // remembered once
};

/// Whether a failure is the end of its op, rather than an invitation to repeat it.
bool IsFinalFailure(ErrorCode code);

}  // namespace gabion
