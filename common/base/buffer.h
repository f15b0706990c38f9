#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gabion {

/// A counted, immutable stretch of memory: payloads are passed on and kept by copying Slices, never bytes. Any thread
/// may copy and drop Slices of the same memory; writing into it is for whoever made it, before sharing it.
class Slice {
 public:
  Slice() = default;
  Slice(std::shared_ptr<const std::byte[]> owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  /// Copies `text` into memory of its own.
  static Slice CopyOf(std::string_view text);
  static Slice CopyOf(std::span<const std::byte> bytes);

  const std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  std::span<const std::byte> span() const { return bytes_; }

  /// The part [offset, offset + length), sharing the memory. CHECKs the range.
  Slice Part(std::size_t offset, std::size_t length) const;

 private:
  std::shared_ptr<const std::byte[]> owner_;
  std::span<const std::byte> bytes_;
};

/// Memory to fill before it is shared as a Slice. Aligned to 4 KiB from one page on; not cleared.
class MutableBuffer {
 public:
  explicit MutableBuffer(std::size_t size);

  std::byte* data() { return memory_.get(); }
  std::size_t size() const { return size_; }
  std::span<std::byte> span() { return {memory_.get(), size_}; }

  /// Gives the memory away; the buffer is empty afterwards.
  Slice Share() &&;

 private:
  std::shared_ptr<std::byte[]> memory_;
  std::size_t size_;
};

/// What travels beside a message's header: slices in order, gathered by the socket and never joined in memory.
class Payload {
 public:
  Payload() = default;
  Payload(Slice slice) { Append(std::move(slice)); }  // NOLINT(google-explicit-constructor)

  void Append(Slice slice);
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<Slice>& slices() const { return slices_; }

  /// All bytes as one slice: shared if there is only one, copied otherwise.
  Slice Joined() const;
  /// Copies all bytes to `target`, which has room for size().
  void CopyTo(std::byte* target) const;
  std::string ToString() const;

 private:
  std::vector<Slice> slices_;
  std::size_t size_ = 0;
};

}  // namespace gabion
