#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/rpc/handshake.h"

namespace gabion {

/// Which loop of a server serves a connection (DESIGN 11). Pure but for the turn it keeps.
///
/// A caller on the server's own host goes to the loop that is pinned to the caller's CPU, so that a call and its answer
/// never wake another CPU; all others go round, so that loops share the work.
class LoopChoice {
 public:
  /// `loop_cpus[i]` is the CPU that loop i is pinned to, -1 if none. Not empty. `host_id` empty: nobody is on this
  /// host.
  LoopChoice(std::vector<int> loop_cpus, std::string_view host_id)
      : loop_cpus_(std::move(loop_cpus)), host_id_(host_id) {}

  std::size_t Choose(const Greeting& greeting) {
    if (!host_id_.empty() && greeting.caller.host_id == host_id_ && greeting.cpu != kNoCpu) {
      for (std::size_t i = 0; i < loop_cpus_.size(); ++i) {
        if (loop_cpus_[i] >= 0 && static_cast<std::uint32_t>(loop_cpus_[i]) == greeting.cpu) return i;
      }
    }
    return next_++ % loop_cpus_.size();
  }

 private:
  std::vector<int> loop_cpus_;
  std::string host_id_;
  std::size_t next_ = 0;
};

}  // namespace gabion
