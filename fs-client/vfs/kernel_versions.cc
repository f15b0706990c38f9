#include "fs-client/vfs/kernel_versions.h"

namespace gabion {

void KernelVersions::Put(Ino ino, std::uint64_t version) {
  std::lock_guard lock(mutex_);
  auto found = by_ino_.find(ino);
  if (found != by_ino_.end()) {
    found->second->second = version;
    order_.splice(order_.begin(), order_, found->second);
    return;
  }
  if (by_ino_.size() >= capacity_) {
    by_ino_.erase(order_.back().first);
    order_.pop_back();
  }
  order_.emplace_front(ino, version);
  by_ino_[ino] = order_.begin();
}

std::optional<std::uint64_t> KernelVersions::Take(Ino ino) {
  std::lock_guard lock(mutex_);
  auto found = by_ino_.find(ino);
  if (found == by_ino_.end()) return std::nullopt;
  std::uint64_t version = found->second->second;
  order_.erase(found->second);
  by_ino_.erase(found);
  return version;
}

void KernelVersions::Clear() {
  std::lock_guard lock(mutex_);
  order_.clear();
  by_ino_.clear();
}

}  // namespace gabion
