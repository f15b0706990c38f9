#include "common/env/real/allocator.h"

#include <malloc.h>

namespace gabion {

namespace {

// The largest that malloc takes; all that we allocate is smaller.
constexpr int kMappedFromBytes = 32 << 20;
constexpr int kKeptBytes = 64 << 20;

}  // namespace

void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, kMappedFromBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

}  // namespace gabion
