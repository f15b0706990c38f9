#include "fs-client/fuse/encode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "common/base/byte_units.h"

namespace gabion::fuse {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kSectorBytes = 512;

/// Seconds and nanoseconds of a time that may lie before 1970: the nanoseconds count upwards.
template <typename Seconds>
void Split(std::int64_t time_ns, Seconds& seconds, std::uint32_t& nanoseconds) {
  std::int64_t whole = time_ns / kNsPerSecond;
  std::int64_t part = time_ns % kNsPerSecond;
  if (part < 0) {
    part += kNsPerSecond;
    --whole;
  }
  seconds = static_cast<Seconds>(whole);
  nanoseconds = static_cast<std::uint32_t>(part);
}

void SplitValidity(std::uint64_t validity_ns, std::uint64_t& seconds, std::uint32_t& nanoseconds) {
  seconds = validity_ns / kNsPerSecond;
  nanoseconds = static_cast<std::uint32_t>(validity_ns % kNsPerSecond);
}

std::uint64_t Sectors(const FileAttr& attr) {
  return (attr.used_bytes + kSectorBytes - 1) / kSectorBytes;
}

StatxTime ToStatxTime(std::int64_t time_ns) {
  StatxTime time{};
  Split(time_ns, time.tv_sec, time.tv_nsec);
  return time;
}

template <typename T>
void AppendStruct(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string Notification(std::int32_t code, std::size_t body_size) {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + body_size);
  header.error = code;  // unique 0 makes it a notification
  std::string message;
  message.reserve(header.len);
  AppendStruct(message, header);
  return message;
}

}  // namespace

fuse_attr ToFuseAttr(const FileAttr& attr) {
  fuse_attr out{};
  out.ino = attr.ino.value();
  out.size = attr.size;
  out.blocks = Sectors(attr);
  Split(attr.atime_ns, out.atime, out.atimensec);
  Split(attr.mtime_ns, out.mtime, out.mtimensec);
  Split(attr.ctime_ns, out.ctime, out.ctimensec);
  out.mode = attr.mode;
  out.nlink = attr.nlink;
  out.uid = attr.uid;
  out.gid = attr.gid;
  out.rdev = static_cast<std::uint32_t>(attr.rdev);
  out.blksize = kPreferredIoBytes;
  return out;
}

fuse_lk_out ToLockOut(const std::optional<RangeLock>& lock) {
  fuse_lk_out out{};
  out.lk.type = F_UNLCK;
  if (!lock) return out;
  out.lk.type = lock->exclusive ? F_WRLCK : F_RDLCK;
  out.lk.start = lock->begin;
  out.lk.end = std::min<std::uint64_t>(lock->last, std::numeric_limits<std::int64_t>::max());
  out.lk.pid = lock->pid;
  return out;
}

fuse_entry_out ToEntryOut(const Entry& entry) {
  fuse_entry_out out{};
  out.nodeid = entry.attr.ino.value();
  SplitValidity(entry.validity.entry_ns, out.entry_valid, out.entry_valid_nsec);
  SplitValidity(entry.validity.attr_ns, out.attr_valid, out.attr_valid_nsec);
  out.attr = ToFuseAttr(entry.attr);
  return out;
}

fuse_attr_out ToAttrOut(const Attributes& attributes) {
  fuse_attr_out out{};
  SplitValidity(attributes.valid_ns, out.attr_valid, out.attr_valid_nsec);
  out.attr = ToFuseAttr(attributes.attr);
  return out;
}

StatxOut ToStatxOut(const Attributes& attributes) {
  const FileAttr& attr = attributes.attr;
  StatxOut out{};
  SplitValidity(attributes.valid_ns, out.attr_valid, out.attr_valid_nsec);
  StatxAttr& stat = out.stat;
  stat.mask = STATX_BASIC_STATS | STATX_BTIME;
  stat.blksize = kPreferredIoBytes;
  stat.nlink = attr.nlink;
  stat.uid = attr.uid;
  stat.gid = attr.gid;
  stat.mode = static_cast<std::uint16_t>(attr.mode);
  stat.ino = attr.ino.value();
  stat.size = attr.size;
  stat.blocks = Sectors(attr);
  stat.atime = ToStatxTime(attr.atime_ns);
  stat.btime = ToStatxTime(attr.btime_ns);
  stat.ctime = ToStatxTime(attr.ctime_ns);
  stat.mtime = ToStatxTime(attr.mtime_ns);
  stat.rdev_major = major(attr.rdev);
  stat.rdev_minor = minor(attr.rdev);
  return out;
}

fuse_open_out ToOpenOut(const OpenedFile& file) {
  fuse_open_out out{};
  out.fh = file.handle.value();
  if (file.keep_cache) out.open_flags |= FOPEN_KEEP_CACHE;
  // The Vfs orders concurrent writes itself, so the kernel need not let them through one at a time.
  if (file.direct_io) out.open_flags |= FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
  return out;
}

CreateOut ToCreateOut(const CreatedFile& created) {
  return {ToEntryOut(created.entry), ToOpenOut(created.file)};
}

fuse_statfs_out ToStatfsOut(const gabion::StatFs& stat) {
  constexpr std::uint32_t kBlock = static_cast<std::uint32_t>(kBlockBytes);
  fuse_statfs_out out{};
  out.st.bsize = kBlock;
  out.st.frsize = kBlock;
  out.st.blocks = stat.total_bytes / kBlock;
  out.st.bfree = stat.free_bytes / kBlock;
  out.st.bavail = out.st.bfree;
  out.st.files = stat.total_inodes;
  out.st.ffree = stat.free_inodes;
  out.st.namelen = 255;
  return out;
}

std::size_t PackDirectory(const std::vector<DirEntryPlus>& entries, bool plus, std::span<std::byte> out) {
  std::size_t used = 0;
  for (const DirEntryPlus& entry : entries) {
    std::size_t name_offset = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
    std::size_t size = FUSE_DIRENT_ALIGN(name_offset + entry.name.size());
    if (out.size() - used < size) break;
    std::byte* place = out.data() + used;
    std::memset(place, 0, size);
    if (plus) {
      if (entry.entry) {
        fuse_entry_out attributes = ToEntryOut(*entry.entry);
        std::memcpy(place, &attributes, sizeof attributes);
      }
      place += offsetof(fuse_direntplus, dirent);
    }
    fuse_dirent header{};
    header.ino = entry.ino.value();
    header.off = entry.next_offset;
    header.namelen = static_cast<std::uint32_t>(entry.name.size());
    header.type = (entry.type_mode & S_IFMT) >> 12;
    std::memcpy(place, &header, FUSE_NAME_OFFSET);
    std::memcpy(place + FUSE_NAME_OFFSET, entry.name.data(), entry.name.size());
    used += size;
  }
  return used;
}

std::string PackNames(const std::vector<std::string>& names) {
  std::string packed;
  for (const std::string& name : names) {
    packed.append(name);
    packed.push_back('\0');
  }
  return packed;
}

namespace {

/// A negative offset: no pages. Length 0: to the end.
std::string InvalidateInode(Ino ino, std::int64_t offset) {
  fuse_notify_inval_inode_out body{};
  body.ino = ino.value();
  body.off = offset;
  body.len = 0;
  std::string message = Notification(FUSE_NOTIFY_INVAL_INODE, sizeof body);
  AppendStruct(message, body);
  return message;
}

}  // namespace

std::string EncodeInvalidateInode(Ino ino) {
  return InvalidateInode(ino, 0);
}

std::string EncodeInvalidateAttributes(Ino ino) {
  return InvalidateInode(ino, -1);
}

}  // namespace gabion::fuse
