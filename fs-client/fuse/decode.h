#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/result.h"
#include "fs-client/fuse/request.h"

namespace gabion::fuse {

/// What INIT settled about the layout of requests.
struct Dialect {
  bool setxattr_ext = true;  // FUSE_SETXATTR_EXT: fuse_setxattr_in has 16 bytes, not 8
};

/// The largest READ, WRITE or READDIR that is believed; INIT offers less.
inline constexpr std::uint32_t kMaxIoBytes = 4u << 20;
/// PATH_MAX with its NUL: the longest symlink target; names are shorter.
inline constexpr std::size_t kMaxStringBytes = 4096;

/// The size of an operation's own struct, which comes before names and data. 0 for those without one and for opcodes
/// that are not known.
std::size_t ArgumentSize(std::uint32_t opcode, const Dialect& dialect);

/// Cuts what was read from /dev/fuse. Errors: kInvalidArgument if `bytes` is no whole request (a bug of the kernel's,
/// or a hostile peer). The result points into `bytes`.
Result<RequestBytes> SplitDeviceRequest(std::span<const std::byte> bytes, const Dialect& dialect);

/// Who asks. Needs no check.
RequestHeader HeaderOf(const RequestBytes& bytes);

/// Reads the operation. Whatever the bytes are, it reads within them; what follows a complete operation (extensions of
/// newer kernels) is ignored. Errors: kInvalidArgument, saying what is wrong with which operation. Pure.
Result<Operation> Decode(const RequestBytes& bytes, const Dialect& dialect);

/// "LOOKUP"; "opcode" for what is not known. For logs.
std::string_view OpcodeName(std::uint32_t opcode);

}  // namespace gabion::fuse
