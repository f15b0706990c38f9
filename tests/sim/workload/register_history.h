#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/env/clock.h"

namespace gabion {

/// A write or a read of a whole register, from its call to its return in the world's time.
struct RegisterOp {
  bool is_write = false;
  std::uint64_t value = 0;  // no two writes of a register have the same one
  unsigned client = 0;
  TimePoint begin;
  std::optional<TimePoint> end;  // none: it has not returned
};

/// What several clients did to one register, and whether it is linearizable: whether there is an order of the calls,
/// each at some moment between its begin and its end, in which every read gives the value of the write before it.
///
/// With values that are written once this can be told without search. All calls of one value form a zone: from the
/// first end to the last begin if that is later (a forward zone: the register had the value throughout), else the
/// other way round (a backward zone: it had the value at some moment in it). There is an order exactly if no read ends
/// before its write begins, no two forward zones overlap, and no backward zone lies within a forward one.
/// Source: Gibbons and Korach, Testing Shared Memories, SIAM J. Comput. 26 (1997), section 4.
class RegisterHistory {
 public:
  void Add(const RegisterOp& op) { ops_.push_back(op); }

  /// What cannot be put in order, with the calls that show it; empty if all is well.
  std::string Check() const;

 private:
  struct Zone {
    TimePoint first_end;
    TimePoint last_begin;
    std::optional<TimePoint> write_begin;
    std::vector<const RegisterOp*> ops;

    bool is_forward() const { return first_end < last_begin; }
  };

  std::map<std::uint64_t, Zone> Zones() const;
  static std::string Describe(std::string_view why, const Zone& zone, const Zone& other);

  std::vector<RegisterOp> ops_;
};

}  // namespace gabion
