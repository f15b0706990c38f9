#pragma once

#include <vector>

#include "common/env/clock.h"

namespace gabion {

/// When something was so, in the world's time. What begins several times at once lasts until all of that has ended.
class Spells {
 public:
  struct Spell {
    TimePoint begin;
    TimePoint end;
  };

  void Begin(TimePoint now);
  void End(TimePoint now);
  bool empty() const { return spells_.empty(); }

  /// Those that lasted for `least` at least, each to `slack` after its end; what follows so closely is part of it.
  std::vector<Spell> Within(Duration slack, Duration least) const;

 private:
  unsigned under_way_ = 0;
  std::vector<Spell> spells_;
};

}  // namespace gabion
