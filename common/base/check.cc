#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace gabion {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "gabion: invariant broken at %s:%d: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace gabion
