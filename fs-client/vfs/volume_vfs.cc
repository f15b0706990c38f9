#include "fs-client/vfs/volume_vfs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/env/mutate.h"
#include "fs-client/io/kernel_pages.h"
#include "fs-client/session/interruption.h"
#include "fs-client/vfs/file_attr.h"

namespace gabion {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

/// Under the inode's mutex.
FileAttr WithOwnWrites(FileAttr file, const proto::Attr& attr, const OpenInode& inode) {
  if (attr.data_version() < inode.known.data_version) {  // said before a change of ours that is done by now
    file.size = inode.known.size;
    file.used_bytes = inode.known.used_bytes;
    file.mtime_ns = inode.known.mtime_ns;
    file.ctime_ns = std::max(file.ctime_ns, inode.known.ctime_ns);
  }
  file.size = std::max(file.size, inode.dirty.end_bytes());
  if (inode.dirty.HasMore() || (!inode.dirty.empty() && !inode.committed)) {
    file.mtime_ns = inode.write_time_ns;
    file.ctime_ns = std::max(file.ctime_ns + 1, inode.write_time_ns);  // as the commit will have it
    file.used_bytes = std::max(file.used_bytes, std::min<std::uint64_t>(file.used_bytes + inode.dirty.total_bytes(),
                                                                        RoundUp(file.size, kBlockBytes)));
  }
  return file;
}

}  // namespace

Result<void> CheckEntryName(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return {ErrorCode::kInvalidArgument, fmt::format("'{}' cannot name an entry", name)};
  }
  if (name.size() > kMaxNameBytes) return {ErrorCode::kNameTooLong, "a name has at most 255 bytes"};
  return {};
}

ClientLoop* VolumeVfs::LoopOf(const Executor& executor) const {
  for (ClientLoop* loop : parts_.loops) {
    if (loop->env().executor == executor) return loop;
  }
  CHECK(!"the Vfs is called on the client's loops");
  return nullptr;
}

Result<OpenHandlePtr> VolumeVfs::FindHandle(HandleId id) const {
  OpenHandlePtr handle = parts_.files.Find(id);
  if (handle == nullptr) return {ErrorCode::kStale, fmt::format("there is no handle {}", id.value())};
  handle->in_use = true;
  if (handle->lost) return {ErrorCode::kStale, fmt::format("inode {} is gone", handle->inode->ino().value())};
  if (handle->lock_lost) {
    return {ErrorCode::kIo, fmt::format("a lock on inode {} was lost to another client", handle->inode->ino().value())};
  }
  return handle;
}

std::optional<FileAttr> VolumeVfs::TryPresent(const proto::Attr& attr) {
  FileAttr file = ToFileAttr(attr, parts_.root);
  if (!S_ISREG(attr.mode())) return file;
  OpenInodePtr inode = parts_.files.FindInode(Ino(attr.ino()));
  if (inode == nullptr) return file;
  std::lock_guard lock(inode->mutex);
  OpenInode::Verdict verdict = inode->Observe(attr);
  if (verdict == OpenInode::Verdict::kUndecided) return std::nullopt;
  file = WithOwnWrites(file, attr, *inode);
  // Invalidating the pages voids the answer that is being made, so that the kernel would not learn another size. It
  // drops them by itself if it learns one (FUSE_AUTO_INVAL_DATA), but nobody knows when.
  const bool is_told = file.size == inode->told_size && !Mutated("lease.leave_pages");
  if (verdict == OpenInode::Verdict::kForeign && is_told) return std::nullopt;
  inode->told_size = file.size;
  return file;
}

FileAttr VolumeVfs::Show(const proto::Attr& attr) {
  FileAttr file = ToFileAttr(attr, parts_.root);
  OpenInodePtr inode = S_ISREG(attr.mode()) ? parts_.files.FindInode(Ino(attr.ino())) : nullptr;
  if (inode == nullptr) return file;
  std::lock_guard lock(inode->mutex);
  (void)inode->Observe(attr);
  file = WithOwnWrites(file, attr, *inode);
  inode->told_size = file.size;
  return file;
}

void VolumeVfs::Note(const proto::Attr& attr) {
  OpenInodePtr inode = S_ISREG(attr.mode()) ? parts_.files.FindInode(Ino(attr.ino())) : nullptr;
  if (inode == nullptr) return;
  std::lock_guard lock(inode->mutex);
  (void)inode->Observe(attr);
}

Task<Result<FileAttr>> VolumeVfs::Present(proto::Attr attr) {
  for (;;) {
    if (std::optional<FileAttr> file = TryPresent(attr)) co_return *file;
    OpenInodePtr inode = parts_.files.FindInode(Ino(attr.ino()));
    if (inode == nullptr) continue;  // closed just now
    CO_TRY_ASSIGN(const OpenInode::Verdict verdict, co_await Observe(inode, attr));
    if (verdict == OpenInode::Verdict::kForeign) CO_TRY(co_await DropStalePages(std::move(inode)));
  }
}

Task<Result<OpenInode::Verdict>> VolumeVfs::Observe(OpenInodePtr inode, const proto::Attr& attr) {
  for (;;) {
    std::shared_ptr<AsyncEvent> changed;
    {
      std::lock_guard lock(inode->mutex);
      const OpenInode::Verdict verdict = inode->Observe(attr);
      if (verdict != OpenInode::Verdict::kUndecided) co_return verdict;
      changed = inode->changed.Add();
    }
    if (!co_await WaitUnlessInterrupted(std::move(changed))) {
      co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
    }
  }
}

Task<Result<Entry>> VolumeVfs::PresentEntry(proto::Attr attr) {
  Entry entry;
  if (std::optional<FileAttr> file = TryPresent(attr)) {
    entry.attr = *file;
    co_return entry;
  }
  CO_TRY_ASSIGN(entry.attr, co_await Present(std::move(attr)));
  co_return entry;
}

Task<Result<Attributes>> VolumeVfs::PresentAttributes(ClientLoop* loop, proto::Attr attr, std::uint64_t number) {
  const Ino ino(attr.ino());
  Attributes attributes;
  if (std::optional<FileAttr> file = TryPresent(attr)) {
    attributes.attr = *file;
  } else {
    CO_TRY_ASSIGN(attributes.attr, co_await Present(std::move(attr)));
  }
  if (IsBeingWritten(ino)) co_return attributes;
  Duration valid = parts_.leases.cache().AttributesFor(ino, number, loop->Now());
  attributes.valid_ns = static_cast<std::uint64_t>(valid.count());
  co_return attributes;
}

bool VolumeVfs::IsBeingWritten(Ino ino) const {
  OpenInodePtr inode = parts_.files.FindInode(ino);
  if (inode == nullptr) return false;
  std::lock_guard lock(inode->mutex);
  return !inode->dirty.empty() || inode->own_change;
}

Validity VolumeVfs::ValidityOf(ClientLoop* loop, Ino directory, const std::string& name, Ino ino, std::uint64_t number,
                               LeaseCache::Beside beside) {
  LeaseCache& cache = parts_.leases.cache();
  Validity validity;
  validity.entry_ns = static_cast<std::uint64_t>(cache.EntryFor(directory, name, ino, loop->Now()).count());
  if (!ino || IsBeingWritten(ino)) return validity;
  const Duration attr = cache.AttributesBesideEntry(ino, number, beside, loop->Now());
  validity.attr_ns = static_cast<std::uint64_t>(attr.count());
  return validity;
}

Task<Result<void>> VolumeVfs::DropStalePages(OpenInodePtr inode) {
  bool dropped = false;
  while (!dropped) {
    CO_TRY(co_await StillWanted());
    dropped = co_await DropPages(parts_.kernel, inode);
  }
  co_return Result<void>();
}

Task<void> VolumeVfs::DropUnleasedPages(OpenInodePtr inode) {
  (void)co_await DropPages(parts_.kernel, std::move(inode));
}

bool VolumeVfs::IsOpenForPages(Ino ino) const {
  OpenInodePtr inode = parts_.files.FindInode(ino);
  if (inode == nullptr) return false;
  std::lock_guard lock(inode->mutex);
  return std::any_of(inode->handles.begin(), inode->handles.end(),
                     [](const OpenHandle* handle) { return !handle->IsDirect(); });
}

Task<Result<void>> VolumeVfs::LookAgain(ClientLoop* loop, Caller caller, OpenInodePtr inode) {
  Result<LeaseCache::Known> known = co_await LoadAttr(loop, caller, inode->ino());
  if (!known) co_return known.error();
  CO_TRY(co_await Observe(std::move(inode), known->attr));
  co_return Result<void>();
}

void VolumeVfs::FinishTrimSoon(ClientLoop* loop, const OpenInodePtr& inode, const proto::Attr& attr) {
  if (!attr.has_trim()) return;
  parts_.tasks.Spawn(loop->env().executor, FinishTrim(loop, inode, Ino(attr.ino()), attr.trim()));
}

/// If it fails, whoever makes the file longer does it.
Task<void> VolumeVfs::FinishTrim(ClientLoop* loop, OpenInodePtr inode, Ino ino, proto::TrimMark mark) {
  if (inode != nullptr) {
    (void)co_await parts_.places.FinishKnownTrim(loop, std::move(inode));
  } else {
    (void)co_await parts_.places.FinishTrim(loop, ino, std::move(mark));
  }
}

Task<Result<StatFs>> VolumeVfs::StatVolume() {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::StatFsRequest request;
  auto reply = co_await parts_.meta.Read<proto::StatFsReply>(loop, kOwnWork, proto::METHOD_STAT_FS, std::move(request));
  if (!reply) co_return reply.error();
  StatFs volume;
  volume.total_bytes = reply->total_bytes();
  volume.free_bytes = reply->free_bytes();
  volume.total_inodes = reply->total_inodes();
  volume.free_inodes = reply->free_inodes();
  co_return volume;
}

}  // namespace gabion
