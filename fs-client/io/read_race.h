#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/buffer.h"
#include "common/base/result.h"
#include "common/rpc/waiter.h"

namespace gabion {

/// The calls of one read, to one copy or to two at once, of which the first good answer is taken. Shared by the reader
/// and its calls: the one that loses goes on when the reader is gone. One loop.
class ReadRace {
 public:
  struct Finish {
    std::size_t round;  // of the reader's tries: another map, other copies
    Result<Slice> blocks;
  };

  /// A call's place in the race. One that goes without having finished counts as cancelled: nobody waits for a task
  /// that was dropped.
  class Entry {
   public:
    Entry(std::shared_ptr<ReadRace> race, std::size_t round);
    Entry(Entry&& other) noexcept = default;
    Entry& operator=(Entry&&) = delete;
    ~Entry();

    /// The reader goes on at once, within this function.
    void Finish(Result<Slice> blocks);

   private:
    std::shared_ptr<ReadRace> race_;
    const std::size_t round_;
  };

  /// Calls that have not finished, of all rounds.
  std::size_t running() const { return running_; }
  /// The next one that has finished and was not taken yet.
  std::optional<Finish> Take();
  /// Ended by whatever finishes; the reader may end it as well.
  Waiter& wait() { return wait_; }

 private:
  std::size_t running_ = 0;
  std::deque<Finish> finished_;
  Waiter wait_;
};

}  // namespace gabion
