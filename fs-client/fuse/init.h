#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "fs-client/fuse/decode.h"
#include "fs-client/fuse/kernel_abi.h"

namespace gabion::fuse {

struct InitOptions {
  bool offer_uring = false;
  /// flock and fcntl locks go to the Vfs; otherwise the kernel keeps them by itself, among its own processes.
  bool cluster_locks = false;
  /// Of one WRITE, and of one READ; the kernel's own ceiling is fs.fuse.max_pages_limit (256 pages).
  std::uint32_t max_write = 1u << 20;
  /// What the kernel may read ahead before the mount's bdi is told otherwise; it takes the smaller of this and its own.
  std::uint32_t max_readahead = 16u << 20;
  /// Requests that nobody waits for (read-ahead, asynchronous direct I/O) in flight; the kernel's default is 12.
  std::uint16_t max_background = 128;
};

/// What both sides agreed on.
struct Negotiated {
  std::uint32_t minor = 0;
  Dialect dialect;
  std::uint32_t max_write = 0;
  bool uring = false;   // the kernel waits for the rings before it sends anything else
  bool resend = false;  // FUSE_NOTIFY_RESEND exists
  fuse_init_out reply{};
};

/// Answers INIT: of what the kernel offers, everything that the Vfs keeps its promises with. Left out on purpose:
/// write-back caching (cannot be coherent), cached symlinks, splice.
/// Errors: kVersionMismatch, for the user, if the kernel is too old. Pure.
Result<Negotiated> Negotiate(const fuse_init_in& in, const InitOptions& options);

}  // namespace gabion::fuse
