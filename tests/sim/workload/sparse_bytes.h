#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace gabion {

/// A file's content in memory, holes costing nothing: what the oracle thinks is there.
class SparseBytes {
 public:
  static constexpr std::uint64_t kBlock = 4096;

  std::uint64_t size() const { return size_; }
  /// Blocks that are not holes, by index.
  const std::map<std::uint64_t, std::string>& blocks() const { return blocks_; }

  void Write(std::uint64_t offset, std::string_view bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const std::uint64_t at = offset + done;
      const std::size_t part = std::min<std::size_t>(bytes.size() - done, kBlock - at % kBlock);
      std::string& block = blocks_[at / kBlock];
      block.resize(kBlock);
      block.replace(at % kBlock, part, bytes.substr(done, part));
      done += part;
    }
    if (!bytes.empty()) size_ = std::max(size_, offset + bytes.size());
  }

  void Resize(std::uint64_t size) {
    blocks_.erase(blocks_.lower_bound((size + kBlock - 1) / kBlock), blocks_.end());
    if (const auto last = blocks_.find(size / kBlock); last != blocks_.end()) {
      last->second.resize(size % kBlock);
      last->second.resize(kBlock);
    }
    size_ = size;
  }

  /// Ends where the file does.
  std::string Read(std::uint64_t offset, std::uint64_t length) const {
    if (offset >= size_) return {};
    std::string bytes(std::min(length, size_ - offset), '\0');
    const std::uint64_t end = offset + bytes.size();
    for (auto block = blocks_.lower_bound(offset / kBlock); block != blocks_.end(); ++block) {
      const std::uint64_t begin = std::max(block->first * kBlock, offset);
      const std::uint64_t stop = std::min((block->first + 1) * kBlock, end);
      if (begin >= stop) break;
      bytes.replace(begin - offset, stop - begin, block->second, begin - block->first * kBlock, stop - begin);
    }
    return bytes;
  }

 private:
  std::uint64_t size_ = 0;
  std::map<std::uint64_t, std::string> blocks_;
};

}  // namespace gabion
