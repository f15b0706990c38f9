#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "common/base/ids.h"
#include "common/env/clock.h"

namespace gabion {

/// Chunks of which a reader found a bad copy, until the Scrubber has looked at them. Bounded, and a chunk is in it
/// once. Any loop.
class ScrubQueue {
 public:
  static constexpr std::size_t kMaxChunks = 1024;

  struct Suspect {
    PgId pg;
    ChunkId chunk;
    unsigned tries = 0;  // in vain, so far
  };

  /// `on_added` is called, on any loop, when there is something to do at once.
  explicit ScrubQueue(std::function<void()> on_added) : on_added_(std::move(on_added)) {}

  /// Due at once, unless it is in there already. False: the queue is full.
  bool Add(PgId pg, ChunkId chunk);
  /// Takes one out that is due by `now`, the longest of them.
  std::optional<Suspect> Take(TimePoint now);
  /// To be tried again, not before `due`. A full queue drops it: the next pass finds it.
  void PutBack(Suspect suspect, TimePoint due);
  /// When the next one is.
  std::optional<TimePoint> NextDue() const;

 private:
  struct Entry {
    Suspect suspect;
    TimePoint due;
  };

  const std::function<void()> on_added_;
  mutable std::mutex mutex_;
  std::map<ChunkId, Entry> entries_;
};

}  // namespace gabion
