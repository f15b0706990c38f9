#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "common/base/ids.h"
#include "common/env/mutate.h"

namespace gabion {

/// Keeps a mutation that a primary has given up from being done late, after one that took its place
/// (ChunkTarget.fence): the primary raises its number towards a member whenever it does not know what became of
/// something, before it lets go of the pages; the member refuses smaller numbers than it has seen. Any loop.
class Fences {
 public:
  /// Numbers of later starts of this server are larger. Before all other calls.
  void Start(std::uint64_t starts) { first_ = (starts << 32) + 1; }

  // As a primary.

  std::uint64_t ForMember(ServerId member) {
    std::lock_guard lock(mutex_);
    return sent_.try_emplace(member, first_).first->second;
  }
  void Raise(ServerId member) {
    std::lock_guard lock(mutex_);
    ++sent_.try_emplace(member, first_).first->second;
  }

  // As a member.

  /// Takes note of what `primary` sent; false if it has sent a larger number before.
  bool Accept(ServerId primary, std::uint64_t fence) {
    std::lock_guard lock(mutex_);
    std::uint64_t& seen = seen_[primary];
    if (fence < seen && !Mutated("chunk.no_fence")) return false;
    seen = fence;
    return true;
  }

 private:
  std::mutex mutex_;
  std::uint64_t first_ = 1;
  std::map<ServerId, std::uint64_t> sent_;
  std::map<ServerId, std::uint64_t> seen_;
};

}  // namespace gabion
