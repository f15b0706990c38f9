#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/env/clock.h"
#include "common/env/sim/sim_buggify.h"
#include "common/env/sim/sim_random.h"

namespace gabion {

/// The one place where a simulated world's time passes and its chance is drawn: a queue of events in virtual time, and
/// a running hash of what happened. Everything of one world runs in one thread.
class SimScheduler {
 public:
  using EventId = std::pair<std::int64_t, std::uint64_t>;  // when, and the order of asking: ties have an order

  explicit SimScheduler(std::uint64_t seed);
  ~SimScheduler() { DropEvents(); }
  SimScheduler(const SimScheduler&) = delete;
  SimScheduler& operator=(const SimScheduler&) = delete;

  std::uint64_t seed() const { return seed_; }
  /// Nanoseconds since the world began.
  TimePoint Now() const { return now_; }
  /// For what no machine decides: delays and faults.
  SimRandom& random() { return random_; }
  SimBuggify& buggify() { return buggify_; }

  /// Runs `action` at `when` (at the earliest now).
  EventId At(TimePoint when, std::function<void()> action);
  EventId After(Duration delay, std::function<void()> action) { return At(now_ + delay, std::move(action)); }
  /// Runs it at once if it has not run yet.
  void RunEarly(EventId id);

  /// Resumes the caller on its executor at `when`, or at once when cancelled.
  Task<void> SleepUntil(TimePoint when);
  Task<void> SleepFor(Duration delay) { return SleepUntil(now_ + delay); }

  /// The end of the world: destroys what waits, and takes nothing more.
  void DropEvents();

  std::optional<TimePoint> NextEvent() const;
  /// Jumps to the next event and runs it. There is one.
  void RunNext();
  /// Jumps to `when`; no event lies before it.
  void JumpTo(TimePoint when);

  /// Adds an event to the trace: with the same seed, the same program gives the same trace, hence the same hash. With
  /// GABION_SIM_TRACE=1 in the environment it is printed too, so that two runs can be compared line by line.
  void Trace(std::string_view what);
  std::uint64_t trace_hash() const { return trace_hash_; }
  bool prints_trace() const { return prints_trace_; }

 private:
  const std::uint64_t seed_;
  SimRandom random_;
  SimBuggify buggify_;
  TimePoint now_;
  std::uint64_t next_sequence_ = 0;
  std::map<EventId, std::function<void()>> events_;
  std::uint64_t trace_hash_ = 0;
  const bool prints_trace_;
  bool ending_ = false;
};

}  // namespace gabion
