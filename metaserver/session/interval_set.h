#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace gabion {

/// A set of numbers, kept as runs of neighbours: a set without gaps takes the memory of one number.
class IntervalSet {
 public:
  bool empty() const { return runs_.empty(); }
  bool Contains(std::uint64_t value) const;
  void Insert(std::uint64_t value);
  /// The least member; the set is not empty.
  std::uint64_t Min() const { return runs_.begin()->first; }
  /// The least member from `value` on.
  std::optional<std::uint64_t> NextFrom(std::uint64_t value) const;
  /// Removes the least member; the set is not empty.
  void RemoveMin();
  /// Removes everything below `limit`.
  void RemoveBelow(std::uint64_t limit);
  std::size_t run_count() const { return runs_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  // first -> last, both included; neither overlapping nor touching
};

}  // namespace gabion
