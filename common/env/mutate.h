#pragma once

#include <string_view>

namespace gabion {

// Mutations: faults in our own protocols, made on purpose, one at a time, to see that simulation finds them
// (docs/simulation.md). They are there only where GABION_MUTATIONS is defined: a production binary has none, and cannot
// be told to have one.
//
//     if (now >= lease_end && !Mutated("chunk.no_lease")) return ...;

#ifdef GABION_MUTATIONS
namespace internal {
inline std::string_view mutation;  // written before anything runs
}  // namespace internal

/// Whether this process is to behave wrongly in the way of that name. tests/sim/mutations.cc lists the names.
inline bool Mutated(std::string_view name) {
  return name == internal::mutation;
}
/// For the whole process; before anything of it runs. `name` is a literal; "": no mutation.
inline void ChooseMutation(std::string_view name) {
  internal::mutation = name;
}
#else
constexpr bool Mutated(std::string_view) {
  return false;
}
#endif

}  // namespace gabion
