#pragma once

#include <string_view>

namespace gabion {

/// Has code take its rare paths often, in simulation only: a list that is cut short, a call given up early, a pause at
/// a bad moment. Whatever such a point does must be allowed to happen in production.
///
///     if (env.Buggified("chunk.slow_apply")) co_await env.clock.SleepFor(kAWhile);
///
/// Source: FoundationDB, flow/Buggify.h.
class Buggify {
 public:
  virtual ~Buggify() = default;
  /// Whether to take the rare path this time. `point` is a literal.
  virtual bool Fires(std::string_view point) = 0;
};

}  // namespace gabion
