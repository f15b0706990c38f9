#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "proto/cluster.pb.h"

namespace gabion {

/// How a drain gets on, from what is seen of its server again and again.
class DrainProgress {
 public:
  using Seconds = std::chrono::seconds;

  /// Over which the rate is taken.
  static constexpr Seconds kRateTime{30};
  /// After so long without any progress the user is told where to look.
  static constexpr Seconds kStuckTime{60};

  /// `at`: since the following began; it does not go back.
  void Take(Seconds at, const proto::ServerEntry& server);
  /// "chunkserver 3: 12 placement groups, 4.2 GiB left, 85.0 MiB/s, about 50 s". Something was taken.
  std::string Line() const;

 private:
  struct Sample {
    Seconds at{0};
    std::uint64_t bytes_left = 0;
  };
  /// Over kRateTime, or as far as it goes back; 0: nothing is known.
  std::uint64_t BytesPerSecond() const;

  std::deque<Sample> samples_;  // the newest last
  proto::ServerEntry server_;
  Seconds progress_at_{0};
};

}  // namespace gabion
