#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>

/// What Debian 12's <linux/fuse.h> (protocol 7.38) does not have yet and newer kernels speak. Numbers and layouts are
/// the kernel's user-space ABI and never change; names are ours, so that they do not collide with newer headers.
namespace gabion::fuse {

inline constexpr std::uint32_t kMajor = 7;
/// The newest minor version whose additions are known here.
inline constexpr std::uint32_t kNewestMinor = 44;
/// Linux 5.4: older ones lack parts of INIT that everything here takes for granted.
inline constexpr std::uint32_t kOldestMinor = 31;

// INIT flags from bit 32 on travel in `flags2`, shifted down by 32.
inline constexpr std::uint64_t kInitDirectIoAllowMmap = 1ull << 36;
inline constexpr std::uint64_t kInitHasResend = 1ull << 39;
inline constexpr std::uint64_t kInitOverIoUring = 1ull << 41;

// Opcodes.
inline constexpr std::uint32_t kOpStatx = 52;
inline constexpr std::uint32_t kOpCopyFileRange64 = 53;

// Notifications.
inline constexpr std::int32_t kNotifyResend = 7;

/// Set in `unique` of a request that the kernel sends again; the reply carries it too.
inline constexpr std::uint64_t kUniqueResend = 1ull << 63;

struct StatxIn {
  std::uint32_t getattr_flags;
  std::uint32_t reserved;
  std::uint64_t fh;
  std::uint32_t sx_flags;
  std::uint32_t sx_mask;
};
static_assert(sizeof(StatxIn) == 24);

struct StatxTime {
  std::int64_t tv_sec;
  std::uint32_t tv_nsec;
  std::int32_t reserved;
};

struct StatxAttr {
  std::uint32_t mask;
  std::uint32_t blksize;
  std::uint64_t attributes;
  std::uint32_t nlink;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint16_t mode;
  std::uint16_t spare0;
  std::uint64_t ino;
  std::uint64_t size;
  std::uint64_t blocks;
  std::uint64_t attributes_mask;
  StatxTime atime;
  StatxTime btime;
  StatxTime ctime;
  StatxTime mtime;
  std::uint32_t rdev_major;
  std::uint32_t rdev_minor;
  std::uint32_t dev_major;
  std::uint32_t dev_minor;
  std::uint64_t spare2[14];
};
static_assert(sizeof(StatxAttr) == 256);

struct StatxOut {
  std::uint64_t attr_valid;
  std::uint32_t attr_valid_nsec;
  std::uint32_t flags;
  std::uint64_t spare[2];
  StatxAttr stat;
};
static_assert(sizeof(StatxOut) == 288);

// FUSE over io_uring (Linux 6.14). One queue per possible CPU; each entry of a queue is one request at a time: the
// kernel writes the request into the entry's two buffers and completes the command; the reply is written over it and
// committed, which waits for the next request in the same command.

inline constexpr std::size_t kRingHeaderBytes = 128;

struct RingEntryInOut {
  std::uint64_t flags;
  std::uint64_t commit_id;
  std::uint32_t payload_size;  // of the request as of the reply
  std::uint32_t padding;
  std::uint64_t reserved;
};

struct RingRequestHeader {
  std::byte in_out[kRingHeaderBytes];  // fuse_in_header of the request, fuse_out_header of the reply
  std::byte op_in[kRingHeaderBytes];   // the operation's own struct
  RingEntryInOut entry;
};
static_assert(sizeof(RingRequestHeader) == 288);

enum class RingCommand : std::uint32_t { kRegister = 1, kCommitAndFetch = 2 };

/// Lies in the command area of a 128-byte SQE.
struct RingCommandRequest {
  std::uint64_t flags;
  std::uint64_t commit_id;
  std::uint16_t queue_id;
  std::uint8_t padding[6];
};
static_assert(sizeof(RingCommandRequest) == 24);

}  // namespace gabion::fuse
