#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "cli/output/report.h"

namespace gabion {

/// How the servers get on with a scrub that was wanted, from what is seen of them again and again.
class ScrubProgress {
 public:
  using Seconds = std::chrono::seconds;

  /// Over which the rate is taken.
  static constexpr Seconds kRateTime{30};
  /// After so long without any progress the user is told where to look.
  static constexpr Seconds kStuckTime{60};

  /// `at`: since the following began; it does not go back. `unfinished`: of the servers, how many.
  void Take(Seconds at, const ServerEntries& servers, std::size_t unfinished);
  /// "scrub: 34 % of 4.2 GiB, 2 chunkservers not done, 85.0 MiB/s, about 50 s". Something was taken.
  std::string Line() const;

 private:
  struct Sample {
    Seconds at{0};
    std::uint64_t bytes_done = 0;
  };
  /// Over kRateTime, or as far as it goes back; 0: nothing is known.
  std::uint64_t BytesPerSecond() const;

  std::deque<Sample> samples_;  // the newest last
  std::uint64_t bytes_ = 0;
  std::size_t unfinished_ = 0;
  Seconds progress_at_{0};
};

}  // namespace gabion
