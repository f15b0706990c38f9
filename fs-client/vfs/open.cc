#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// Opening, making and closing files.

namespace gabion {
namespace {

// What the metaserver has to know of open(2)'s flags; the last is the kernel's own mark of an open for execve(2).
constexpr std::uint32_t kForExec = 040;
constexpr std::uint32_t kFlagsForServer = O_ACCMODE | O_TRUNC | kForExec;

/// Whether the mode lets the caller open the file for reading, whatever groups he is in besides his own. The kernel has
/// looked as well (default_permissions); the metaserver, which trusts no kernel, is asked if this is not enough.
bool MayOpenForReading(const proto::Attr& attr, const Caller& caller, std::uint32_t flags) {
  const bool for_exec = (flags & kForExec) != 0;
  const std::uint32_t bit = for_exec ? S_IXOTH : S_IROTH;
  const std::uint32_t mode = attr.mode();
  if (caller.uid == 0) return !for_exec || (mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
  if (caller.uid == attr.uid()) return (mode & (bit << 6u)) != 0;
  const bool group_may = (mode & (bit << 3u)) != 0;
  if (caller.gid == attr.gid()) return group_may;
  return group_may && (mode & bit) != 0;
}

}  // namespace

Task<Result<CreatedFile>> VolumeVfs::Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                            std::uint32_t flags) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckEntryName(name));
  proto::CreateRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  request.set_mode((mode & 07777u) | S_IFREG);
  request.set_truncate((flags & O_TRUNC) != 0);
  co_return co_await MakeOpen(loop, caller, std::move(request), flags);
}

Task<Result<CreatedFile>> VolumeVfs::TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::CreateRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_mode((mode & 07777u) | S_IFREG);
  co_return co_await MakeOpen(loop, caller, std::move(request), flags);
}

Task<Result<CreatedFile>> VolumeVfs::MakeOpen(ClientLoop* loop, Caller caller, proto::CreateRequest request,
                                              std::uint32_t flags) {
  HandleId handle = parts_.files.NextHandle();
  request.set_handle_id(handle.value());
  request.set_exclusive((flags & O_EXCL) != 0);
  request.set_open_flags(flags & kFlagsForServer);
  request.set_want_write_lease((flags & O_ACCMODE) != O_RDONLY);
  auto reply = co_await Make(loop, caller, std::move(request));
  if (!reply) {
    parts_.files.Abandon(handle);
    if (reply.error().code() == ErrorCode::kCancelled) parts_.releases.Add(loop, handle);  // it may be open there
    co_return reply.error();
  }
  CreatedFile created;
  created.file = co_await FinishOpen(loop, handle, reply->note(), reply->attr(), flags, reply->created());
  CO_TRY_ASSIGN(created.entry, co_await PresentEntry(std::move(*reply->mutable_attr())));
  co_return created;
}

Task<std::optional<OpenedFile>> VolumeVfs::OpenHere(ClientLoop* loop, Caller caller, Ino ino, std::uint32_t flags) {
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0) co_return std::nullopt;
  LeaseCache& cache = parts_.leases.cache();
  if (!cache.Find(ino, loop->Now())) co_return std::nullopt;
  HandleId handle = parts_.files.NextHandle();
  OwnOpens& own = parts_.files.own();
  if (!own.Add(handle, ino, loop->Now())) co_return std::nullopt;
  if (parts_.files.Announce(handle, ino)) {
    // Not before: whoever returns the lease names what is there then.
    std::optional<LeaseCache::Known> known = cache.Find(ino, loop->Now());
    if (known && known->attr.nlink() > 0 && MayOpenForReading(known->attr, caller, flags)) {
      co_return co_await FinishOpen(loop, handle, proto::LeaseNote(), known->attr, flags, false);
    }
    parts_.files.Abandon(handle);
  }
  if (own.Remove(handle, ino)) parts_.releases.Add(loop, handle);
  co_return std::nullopt;
}

Task<Result<OpenedFile>> VolumeVfs::Open(Caller caller, Ino ino, std::uint32_t flags) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  std::optional<OpenedFile> opened = co_await OpenHere(loop, caller, ToServer(ino), flags);
  if (opened) co_return *opened;
  HandleId handle = parts_.files.NextHandle();
  proto::OpenRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_handle_id(handle.value());
  request.set_flags(flags & kFlagsForServer);
  request.set_want_write_lease((flags & O_ACCMODE) != O_RDONLY);
  if (!parts_.files.Announce(handle, ToServer(ino))) co_return Error(ErrorCode::kStale, "the file was removed");
  Task<Result<proto::OpenReply>> opening = (flags & O_TRUNC) != 0 ? OpenTruncated(loop, caller, std::move(request))
                                                                  : SendOpen(loop, caller, std::move(request));
  Result<proto::OpenReply> reply = co_await std::move(opening);
  if (!reply) {
    parts_.files.Abandon(handle);
    if (reply.error().code() == ErrorCode::kCancelled) parts_.releases.Add(loop, handle);  // it may be open there
    co_return reply.error();
  }
  co_return co_await FinishOpen(loop, handle, reply->note(), reply->attr(), flags, false);
}

/// Opening a handle twice is harmless, so it needs no number.
Task<Result<proto::OpenReply>> VolumeVfs::SendOpen(ClientLoop* loop, Caller caller, proto::OpenRequest request) {
  return parts_.meta.Read<proto::OpenReply>(loop, caller, proto::METHOD_OPEN, std::move(request));
}

Task<Result<proto::OpenReply>> VolumeVfs::OpenTruncated(ClientLoop* loop, Caller caller, proto::OpenRequest request) {
  Ino ino(request.ino());
  OpenInodePtr inode = parts_.files.FindInode(ino);
  ExclusiveUse exclusive = co_await ExclusiveUse::Of(inode);
  if (inode != nullptr) co_await parts_.write_back.FlushAll(loop, inode);
  co_return co_await ChangeContent<proto::OpenReply>(loop, caller, proto::METHOD_OPEN, std::move(request), ino, inode,
                                                     0);
}

Task<OpenedFile> VolumeVfs::FinishOpen(ClientLoop* loop, HandleId handle, const proto::LeaseNote& note,
                                       const proto::Attr& attr, std::uint32_t flags, bool fresh) {
  OpenFiles::Opened opened = parts_.files.Finish(handle, attr, flags, fresh);
  // After the file knows its size: with a write lease, an append goes to its end.
  const Result<OpenInode::Verdict> seen = co_await Observe(opened.handle->inode, attr);
  if (seen) parts_.leases.cache().Learn(note, attr, loop->Now());
  if (opened.stale_pages) co_await DropStalePages(opened.handle->inode);
  OpenedFile file;
  file.handle = handle;
  file.keep_cache = opened.keep_cache;
  file.direct_io = opened.handle->IsDirect();
  co_return file;
}

Task<void> VolumeVfs::Release(Ino ino, HandleId id) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  OpenHandlePtr handle = parts_.files.Find(id);
  if (handle == nullptr) co_return;
  const bool has_locks = parts_.locks.HasLocks(ToServer(ino), id);
  if (has_locks) parts_.locks.BeginRelease(ToServer(ino));
  if (has_locks && !parts_.locks.AreHere(ToServer(ino))) co_await parts_.write_back.FlushAll(loop, handle->inode);
  if (has_locks) {
    co_await parts_.locks.ReleaseHandle(loop, ToServer(ino), id);
    parts_.locks.EndRelease(ToServer(ino));
  }
  parts_.files.Close(handle);
  if (parts_.files.own().Remove(id, handle->inode->ino())) parts_.releases.Add(loop, id);
}

}  // namespace gabion
