#include "fs-client/io/open_inode.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <limits>
#include <utility>

#include "common/base/byte_units.h"
#include "common/base/check.h"
#include "common/base/log.h"

namespace gabion {

namespace {

bool HasPrivileges(std::uint32_t mode, bool has_no_xattrs) {
  return (mode & (S_ISUID | S_ISGID)) != 0 || !has_no_xattrs;
}

}  // namespace

KnownFile KnownFile::From(const proto::Attr& attr) {
  KnownFile known;
  known.data_version = attr.data_version();
  known.size = attr.size();
  known.used_bytes = attr.used_bytes();
  known.mode = attr.mode();
  known.has_no_xattrs = attr.has_no_xattrs();
  known.mtime_ns = attr.mtime_ns();
  known.ctime_ns = attr.ctime_ns();
  if (attr.has_trim()) known.trim = attr.trim();
  return known;
}

void OpenInode::Adopt(const proto::Attr& attr, bool has_pages) {
  known = KnownFile::From(attr);
  chunks.Set(0, ChunkPlace::From(attr.first_chunk()));  // none: a hole
  kernel_has_pages = has_pages;
  kernel_version = attr.data_version();
}

void OpenInode::NotePages() {
  ++pages_noted;
  if (!std::exchange(kernel_has_pages, true)) kernel_version = known.data_version;
}

void OpenInode::EndPageDrop(const PageDrop& drop) {
  if (pages_noted == drop.pages_noted) kernel_has_pages = false;
  kernel_version = std::max(kernel_version, drop.version);
}

OpenInode::Verdict OpenInode::Observe(const proto::Attr& attr) {
  if (attr.data_version() > known.data_version) {
    if (own_change && attr.data_version() == known.data_version + 1) {
      if (HasPrivileges(attr.mode(), attr.has_no_xattrs())) {  // perhaps since a moment ago
        known.has_no_xattrs = false;
        unprivileged_ctime_ns.reset();
      }
      return Verdict::kUndecided;
    }
    Refresh(attr);
  } else if (attr.data_version() == known.data_version && attr.ctime_ns() >= known.ctime_ns) {
    known = KnownFile::From(attr);
  }
  return KernelIsCurrent() ? Verdict::kCurrent : Verdict::kForeign;
}

/// The content changed elsewhere: whatever was derived from it is void.
void OpenInode::Refresh(const proto::Attr& attr) {
  if (attr.data_version() < kernel_version) kernel_version = 0;  // it is lost, with the metaserver's power
  known = KnownFile::From(attr);
  chunks.Clear();
  chunks.Set(0, ChunkPlace::From(attr.first_chunk()));
  DropReadAhead(0, std::numeric_limits<std::uint64_t>::max());
  ++foreign_changes;
  foreign_unsynced = true;
  meta_unsynced = true;
}

std::uint64_t OpenInode::BeginOwnChange() {
  CHECK(!own_change);
  own_change = true;
  version_before = known.data_version;
  return version_before;
}

bool OpenInode::EndOwnChange(std::uint64_t base_version, const proto::Attr* reply) {
  CHECK(own_change);
  own_change = false;
  WaitList::Wake(changed.TakeAll());
  if (reply == nullptr) return true;
  ++changes;
  std::uint64_t size_before = known.size;
  std::uint64_t version = reply->data_version();
  bool alone = version <= base_version + 1;
  if (version > known.data_version) {
    if (alone) {
      known = KnownFile::From(*reply);
      chunks.Set(0, ChunkPlace::From(reply->first_chunk()));
    } else {
      Refresh(*reply);
    }
  } else if (version == known.data_version && reply->ctime_ns() >= known.ctime_ns) {
    known = KnownFile::From(*reply);
  }
  if (!alone) foreign_unsynced = true;
  if (alone && kernel_version == base_version) kernel_version = version;
  if (known.size != size_before) meta_unsynced = true;
  return alone;
}

bool OpenHandle::IsDirect() const {
  const bool appends = (flags & O_APPEND) != 0 && (flags & O_ACCMODE) != O_RDONLY;
  return (flags & O_DIRECT) != 0 || appends;
}

bool OpenInode::MayHavePrivileges() const {
  return HasPrivileges(known.mode, known.has_no_xattrs) && unprivileged_ctime_ns != known.ctime_ns;
}

void OpenInode::DoubtVersion(bool lost_power) {
  if (lost_power && std::exchange(synced_changes, changes) != changes) {
    errors.Add({ErrorCode::kIo, "the metaserver lost its power before what was written was synced"});
  }
  known.data_version = 0;
  kernel_version = 0;  // as much as it was may have been shown of what nobody knows of any more
  chunks.Clear();
  ++foreign_changes;
}

void OpenInode::NoteLeaseGone() {
  if (IsGivingBack()) {
    lost_unless_committed = true;
  } else {
    LoseDirty();
  }
}

void OpenInode::LoseDirty() {
  if (dirty.empty() || std::exchange(lost, true)) return;
  LogError(
      "inode {}: {} bytes that were written and not brought to the chunkservers are lost: this client could not reach "
      "the metaserver in time, or an administrator has evicted it, and others may have used the file since",
      ino_.value(), dirty.total_bytes());
}

void OpenInode::NoteUnsynced(std::uint64_t index, ChunkPlace place, Epoch epoch) {
  UnsyncedChunk& chunk = unsynced[index];
  if (!(chunk.place == place)) chunk = {place, epoch};
  if (epoch && (!chunk.since || epoch < chunk.since)) chunk.since = epoch;
}

void OpenInode::CutTo(std::uint64_t size_bytes) {
  std::uint64_t first_gone = RoundUp(size_bytes, kChunkBytes) / kChunkBytes;
  chunks.ForgetFrom(first_gone);
  unsynced.erase(unsynced.lower_bound(first_gone), unsynced.end());
  DropReadAhead(size_bytes, std::numeric_limits<std::uint64_t>::max());
  meta_unsynced = true;
}

void OpenInode::DropReadAhead(std::uint64_t begin, std::uint64_t end) {
  for (OpenHandle* handle : handles) WaitList::Wake(handle->stream.Drop(begin, end));
}

}  // namespace gabion
