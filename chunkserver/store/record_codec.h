#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gabion {

/// Builds a record of the chunk index: fixed integers big-endian, so that keys sort; varints are LEB128.
class RecordWriter {
 public:
  void U8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void U16(std::uint16_t value) { Fixed(value, 2); }
  void U32(std::uint32_t value) { Fixed(value, 4); }
  void U64(std::uint64_t value) { Fixed(value, 8); }
  void Varint(std::uint64_t value);
  void Bytes(std::string_view bytes) { bytes_.append(bytes); }
  void Reserve(std::size_t size) { bytes_.reserve(size); }
  std::string Take() && { return std::move(bytes_); }

 private:
  void Fixed(std::uint64_t value, int bytes);
  std::string bytes_;
};

/// Reads a record. What is not there reads as 0 and makes ok() false, so that a decoder checks once, at its end; loops
/// over counts check before each turn.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t U8() { return static_cast<std::uint8_t>(Fixed(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Fixed(2)); }
  std::uint32_t U32() { return static_cast<std::uint32_t>(Fixed(4)); }
  std::uint64_t U64() { return Fixed(8); }
  std::uint64_t Varint();
  std::string_view Bytes(std::size_t count);

  bool ok() const { return ok_; }
  /// Everything was there, and nothing is left.
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  std::uint64_t Fixed(std::size_t bytes);
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace gabion
