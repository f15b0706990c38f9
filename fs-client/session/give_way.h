#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "common/env/clock.h"

namespace gabion {

/// Two clients may wait for each other: each changes names in a directory, whose lock its kernel holds meanwhile, and
/// which it needs to forget the entries that the other one wants to change (docs/leases.md, "The kernel"). One answers
/// ESTALE then. The kernel lets go of the lock, forgets what it should, and does the call once more from the start; but
/// only once, so the same thread is not told that twice in a row. Any thread.
class GiveWay {
 public:
  /// How long a change is left waiting for others before that is considered.
  static constexpr Duration kPatience = std::chrono::milliseconds(150);
  /// The kernel has begun anew by then.
  static constexpr Duration kInARow = std::chrono::seconds(2);
  /// More than threads can be in one directory's lock; none is told beyond that.
  static constexpr std::size_t kMaxThreads = 1024;

  /// Whether a call of the thread that begins now may be told so. 0 is no thread, and would not ask again.
  bool MayTell(std::uint32_t thread, TimePoint now) {
    std::lock_guard lock(mutex_);
    std::erase_if(told_, [&](const auto& one) { return now >= one.second + kInARow; });
    return thread != 0 && told_.size() < kMaxThreads && !told_.contains(thread);
  }
  /// One was.
  void NoteTold(std::uint32_t thread, TimePoint now) {
    std::lock_guard lock(mutex_);
    told_[thread] = now;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint32_t, TimePoint> told_;
};

}  // namespace gabion
