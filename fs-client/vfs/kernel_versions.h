#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/ids.h"

namespace gabion {

/// Of files that are closed: the data version under which the kernel read the pages that it may still have. The least
/// recently closed are forgotten first; their pages are dropped at the next open. Any thread.
class KernelVersions {
 public:
  static constexpr std::size_t kDefaultCapacity = 65536;

  explicit KernelVersions(std::size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

  void Put(Ino ino, std::uint64_t version);
  /// Takes the entry out: an open file's version is kept with the file.
  std::optional<std::uint64_t> Take(Ino ino);
  void Clear();

 private:
  using Order = std::list<std::pair<Ino, std::uint64_t>>;  // newest first

  const std::size_t capacity_;
  std::mutex mutex_;
  Order order_;
  std::unordered_map<Ino, Order::iterator> by_ino_;
};

}  // namespace gabion
