#include "chunkserver/store/record_codec.h"

namespace gabion {

void RecordWriter::Fixed(std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    bytes_.push_back(static_cast<char>((value >> shift) & 0xff));
}

void RecordWriter::Varint(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<char>(value));
}

std::uint64_t RecordReader::Fixed(std::size_t bytes) {
  std::string_view taken = Bytes(bytes);
  std::uint64_t value = 0;
  for (char byte : taken) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

std::uint64_t RecordReader::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint64_t byte = U8();
    if (!ok_) return 0;
    std::uint64_t bits = byte & 0x7f;
    if (shift == 63 && bits > 1) break;  // more than 64 bits
    value |= bits << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::string_view RecordReader::Bytes(std::size_t count) {
  if (!ok_ || rest_.size() < count) {
    ok_ = false;
    return {};
  }
  std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

}  // namespace gabion
