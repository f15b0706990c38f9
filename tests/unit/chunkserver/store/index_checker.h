#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "chunkserver/store/superblock.h"
#include "common/env/kv_store.h"
#include "common/env/sim/memory_kv.h"

namespace gabion {

/// Reads a whole chunk index, as any commit may have left it, and says what in it does not fit together: records that
/// do not parse, pages without a chunk or beyond its end, chunks that are not where they belong in the tables of
/// groups, blocks that are allocated and that nothing refers to, blocks that are referred to and free, reference counts
/// that are not the number of references.
class IndexChecker {
 public:
  explicit IndexChecker(MemoryKv& index) : index_(index) {}

  /// One line a problem; empty if all is well.
  std::string Check();

 private:
  void CountReferences();
  void CheckPages();
  void CheckGroups();
  void CheckBlocks();
  void Problem(std::string text) { problems_ += text + "\n"; }

  MemoryKv& index_;
  std::map<std::string, std::string> entries_;
  Superblock superblock_;
  std::map<std::uint64_t, std::uint32_t> references_;  // by address
  std::string problems_;
};

}  // namespace gabion
