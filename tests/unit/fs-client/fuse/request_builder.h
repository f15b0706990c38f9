#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fs-client/fuse/decode.h"

namespace gabion::fuse {

/// A request as /dev/fuse delivers it: header, the operation's struct, names and data.
inline std::string MakeRequest(std::uint32_t opcode, std::string_view body, std::uint64_t unique = 7,
                               std::uint64_t node = 1) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = unique;
  header.nodeid = node;
  header.uid = 1000;
  header.gid = 100;
  header.pid = 42;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  return bytes.append(body);
}

/// The operation's struct followed by strings, each with its NUL.
template <typename Argument>
std::string Body(const Argument& argument, std::initializer_list<std::string_view> strings = {},
                 std::string_view data = {}) {
  std::string body(reinterpret_cast<const char*>(&argument), sizeof argument);
  for (std::string_view text : strings) body.append(text).push_back('\0');
  return body.append(data);
}

inline std::string Strings(std::initializer_list<std::string_view> strings) {
  std::string body;
  for (std::string_view text : strings) body.append(text).push_back('\0');
  return body;
}

/// Bytes in memory of exactly their size, so that a sanitizer sees one read too many.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view bytes) : bytes_(new std::byte[bytes.size()]), size_(bytes.size()) {
    if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  std::span<std::byte> span() { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_;
};

}  // namespace gabion::fuse
