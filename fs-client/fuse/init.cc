#include "fs-client/fuse/init.h"

#include <algorithm>
#include <string>

namespace gabion::fuse {
namespace {

constexpr std::uint32_t kPageBytes = 4096;
/// Without FUSE_MAX_PAGES.
constexpr std::uint32_t kMaxPagesBefore = 32;

constexpr std::uint64_t Bit(int flag) {
  return static_cast<std::uint32_t>(flag);
}

constexpr std::uint64_t kWanted = Bit(FUSE_ASYNC_READ) | Bit(FUSE_ATOMIC_O_TRUNC) | Bit(FUSE_EXPORT_SUPPORT) |
                                  Bit(FUSE_BIG_WRITES) | Bit(FUSE_AUTO_INVAL_DATA) | Bit(FUSE_DO_READDIRPLUS) |
                                  Bit(FUSE_READDIRPLUS_AUTO) | Bit(FUSE_ASYNC_DIO) | Bit(FUSE_PARALLEL_DIROPS) |
                                  Bit(FUSE_ABORT_ERROR) | Bit(FUSE_MAX_PAGES) | Bit(FUSE_HANDLE_KILLPRIV_V2) |
                                  Bit(FUSE_SETXATTR_EXT) | Bit(FUSE_INIT_EXT) | kInitDirectIoAllowMmap | kInitHasResend;

}  // namespace

Result<Negotiated> Negotiate(const fuse_init_in& in, const InitOptions& options) {
  if (in.major != kMajor || in.minor < kOldestMinor) {
    return {ErrorCode::kVersionMismatch, "this kernel speaks FUSE " + std::to_string(in.major) + "." +
                                             std::to_string(in.minor) + "; Gabion needs at least 7." +
                                             std::to_string(kOldestMinor) + " (Linux 5.4)"};
  }
  std::uint64_t offered = in.flags;
  if (in.flags & FUSE_INIT_EXT) offered |= static_cast<std::uint64_t>(in.flags2) << 32;
  std::uint64_t wanted = kWanted | (options.offer_uring ? kInitOverIoUring : 0);
  if (options.cluster_locks) wanted |= Bit(FUSE_POSIX_LOCKS) | Bit(FUSE_FLOCK_LOCKS);
  std::uint64_t agreed = offered & wanted;

  Negotiated result;
  result.minor = std::min(in.minor, kNewestMinor);
  result.dialect.setxattr_ext = (agreed & Bit(FUSE_SETXATTR_EXT)) != 0;
  result.uring = (agreed & kInitOverIoUring) != 0;
  result.resend = (agreed & kInitHasResend) != 0;

  std::uint32_t max_pages = (options.max_write + kPageBytes - 1) / kPageBytes;
  if (!(agreed & Bit(FUSE_MAX_PAGES))) max_pages = std::min(max_pages, kMaxPagesBefore);
  result.max_write = std::min(options.max_write, max_pages * kPageBytes);

  fuse_init_out& out = result.reply;
  out.major = kMajor;
  out.minor = result.minor;
  out.max_readahead = std::min(in.max_readahead, options.max_readahead);
  out.flags = static_cast<std::uint32_t>(agreed);
  out.flags2 = static_cast<std::uint32_t>(agreed >> 32);
  out.max_background = options.max_background;
  out.congestion_threshold = static_cast<std::uint16_t>(options.max_background * 3 / 4);
  out.max_write = result.max_write;
  out.max_pages = static_cast<std::uint16_t>(max_pages);
  out.time_gran = 1;
  return result;
}

}  // namespace gabion::fuse
