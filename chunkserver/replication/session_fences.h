#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace gabion {

/// Keeps changes that a client sent before its session was evicted from being done after others got what it had
/// (docs/leases.md). Counts those that are under way from their first check until all members have answered, and
/// refuses those of sessions that the metaserver has fenced. Any loop.
///
/// In memory: what was sent to a process that has ended is lost with its connections, and a server whose lease ran out
/// closes those of clients before it serves again.
class SessionFences {
 public:
  /// Beyond that the oldest are forgotten: nothing stays under way for so long.
  static constexpr std::size_t kMaxFences = 65536;

  /// Who sent a change: a session (none: it is never refused), and how often that had been evicted.
  struct Sender {
    SessionId session;
    std::uint32_t evictions = 0;

    friend auto operator<=>(const Sender&, const Sender&) = default;
  };

  /// A change is under way until it goes.
  class [[nodiscard]] Token {
   public:
    Token(SessionFences* fences, Sender sender) : fences_(fences), sender_(sender) {}
    Token(Token&& other) noexcept : fences_(std::exchange(other.fences_, nullptr)), sender_(other.sender_) {}
    Token& operator=(Token&&) = delete;
    ~Token() {
      if (fences_ != nullptr) fences_->End(sender_);
    }

   private:
    SessionFences* fences_;
    Sender sender_;
  };

  /// Errors: as Check.
  Result<Token> Admit(Sender sender);
  /// Errors: kLeaseLost: the session is fenced.
  Result<void> Check(Sender sender) const;

  /// Refuses from now on what the session sends as one that was evicted less often. Whether that is news.
  bool Fence(Sender fence);
  /// Whether nothing that such a fence is to refuse is under way.
  bool IsQuiet(Sender fence) const;
  /// Whether nothing is under way at all.
  bool IsIdle() const;
  std::size_t size() const;

 private:
  Result<void> CheckLocked(Sender sender) const;
  void End(Sender sender);

  mutable std::mutex mutex_;
  std::unordered_map<SessionId, std::uint32_t> lowest_;  // that is accepted
  std::deque<SessionId> oldest_;                         // those in lowest_
  std::map<Sender, std::size_t> under_way_;
};

}  // namespace gabion
