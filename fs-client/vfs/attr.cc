#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// Attributes of inodes.

namespace gabion {
namespace {

proto::SetAttrRequest MakeRequest(Ino ino, const AttrChange& change) {
  proto::SetAttrRequest request;
  request.set_ino(ino.value());
  if (change.mode) request.set_mode(*change.mode);
  if (change.uid) request.set_uid(*change.uid);
  if (change.gid) request.set_gid(*change.gid);
  if (change.size) request.set_size(*change.size);
  if (change.atime_ns) request.set_atime_ns(*change.atime_ns);
  if (change.mtime_ns) request.set_mtime_ns(*change.mtime_ns);
  request.set_atime_now(change.atime_now);
  request.set_mtime_now(change.mtime_now);
  request.set_kill_suid_sgid(change.kill_suid_sgid);
  return request;
}

bool SetsTime(const AttrChange& change) {
  return change.atime_ns || change.mtime_ns || change.atime_now || change.mtime_now;
}

}  // namespace

Task<Result<Attributes>> VolumeVfs::GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  if (handle && parts_.files.Find(*handle) != nullptr) {
    Result<OpenHandlePtr> open = FindHandle(*handle);
    if (!open) co_return open.error();
  }
  Result<LeaseCache::Known> known = co_await LoadAttr(loop, caller, ToServer(ino));
  if (!known && known.error().code() == ErrorCode::kStale) known = FindRemovedDirectory(ToServer(ino), known.error());
  if (!known) co_return known.error();
  co_return co_await PresentAttributes(loop, std::move(known->attr), known->number);
}

Task<Result<LeaseCache::Known>> VolumeVfs::LoadAttr(ClientLoop* loop, Caller caller, Ino ino) {
  LeaseCache& cache = parts_.leases.cache();
  if (std::optional<LeaseCache::Known> known = cache.Find(ino, loop->Now())) co_return std::move(*known);
  proto::GetAttrRequest request;
  request.set_ino(ino.value());
  request.set_for_pages(IsOpenForPages(ino));
  auto reply = co_await parts_.meta.Read<proto::GetAttrReply>(loop, caller, proto::METHOD_GET_ATTR, std::move(request));
  if (!reply) co_return reply.error();
  cache.Learn(reply->note(), reply->attr(), loop->Now());
  co_return LeaseCache::Known{std::move(*reply->mutable_attr()), reply->note().number()};
}

/// A directory that was removed is what it was when it was opened, but for its names.
Result<LeaseCache::Known> VolumeVfs::FindRemovedDirectory(Ino ino, const Error& otherwise) const {
  OpenDirectoryPtr directory = directories_.FindByIno(ino);
  if (directory == nullptr) return otherwise;
  LeaseCache::Known known{directory->attr_when_opened, 0};
  known.attr.set_nlink(0);
  return known;
}

Task<Result<Attributes>> VolumeVfs::SetAttr(Caller caller, Ino kernel_ino, AttrChange change) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Ino ino = ToServer(kernel_ino);
  proto::SetAttrRequest request = MakeRequest(ino, change);
  if (change.handle) {
    Result<OpenHandlePtr> handle = FindHandle(*change.handle);
    if (!handle) co_return handle.error();
    request.set_by_open_handle(true);
  }
  // Without its groups a caller would lose the set-group-id bit silently.
  if (change.mode && (*change.mode & S_ISGID) != 0) parts_.meta.AddGroups(caller, *request.mutable_op());

  Attributes attributes;
  if (change.size) {
    Result<proto::SetAttrReply> reply = co_await Resize(loop, caller, std::move(request));
    if (!reply) co_return reply.error();
    parts_.leases.cache().Learn(reply->note(), reply->attr(), loop->Now());
    attributes.attr = Show(reply->attr());
    co_return attributes;
  }
  // Writes set the time too: those before this call must not do so after it.
  OpenInodePtr inode = SetsTime(change) ? parts_.files.FindInode(ino) : nullptr;
  if (inode != nullptr) co_await parts_.write_back.FlushAll(loop, inode);
  auto reply =
      co_await parts_.meta.Mutate<proto::SetAttrReply>(loop, caller, proto::METHOD_SET_ATTR, std::move(request));
  if (!reply) co_return reply.error();
  parts_.leases.cache().Learn(reply->note(), reply->attr(), loop->Now());
  attributes.attr = Show(reply->attr());
  co_return attributes;
}

Task<Result<proto::SetAttrReply>> VolumeVfs::Resize(ClientLoop* loop, Caller caller, proto::SetAttrRequest request) {
  Ino ino(request.ino());
  std::uint64_t size = request.size();
  if (size > kMaxFileBytes) co_return Error(ErrorCode::kTooLarge, fmt::format("a file of {} bytes", size));
  OpenInodePtr inode = parts_.files.FindInode(ino);
  ExclusiveUse exclusive = co_await ExclusiveUse::Of(inode);
  if (inode != nullptr) co_await parts_.write_back.FlushAll(loop, inode);
  auto reply = co_await ChangeContent<proto::SetAttrReply>(loop, caller, proto::METHOD_SET_ATTR, std::move(request),
                                                           ino, inode, size);
  if (reply) FinishTrimSoon(loop, inode, reply->attr());
  co_return reply;
}

}  // namespace gabion
