#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace gabion {

/// The ids that were delegated to this client and not used yet, in the order in which they came. Pure; not
/// synchronised.
class IdPool {
 public:
  /// `count` ids from `first` on. A range that would wrap around is cut.
  void Add(std::uint64_t first, std::uint64_t count);
  /// None when all are used.
  std::optional<std::uint64_t> Take();
  std::uint64_t remaining() const { return remaining_; }
  /// Forgets all: they belonged to a session that is no more.
  void Clear();

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t count;
  };
  std::deque<Range> ranges_;
  std::uint64_t remaining_ = 0;
};

}  // namespace gabion
