#pragma once

#include <span>
#include <string_view>

namespace gabion {

/// A fault in Gabion's protocols that this build can be told to have (common/env/mutate.h).
struct Mutation {
  std::string_view name;
  std::string_view what;
};

/// All that there are. Empty in a build without them.
std::span<const Mutation> Mutations();

/// From now on this process has it; before anything is simulated. "": none. False if there is none of that name.
bool Mutate(std::string_view name);

}  // namespace gabion
