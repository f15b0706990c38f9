#include <sys/xattr.h>

#include <string_view>
#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// Extended attributes.

namespace gabion {
namespace {

/// Errors: kNotSupported for the namespaces that no volume has, so that programs which try them cost no request.
Result<void> CheckNamespace(std::string_view name) {
  for (std::string_view prefix : {"user.", "trusted.", "security."}) {
    if (name.starts_with(prefix)) return {};
  }
  return {ErrorCode::kNotSupported, "attributes of this namespace are not kept"};
}

}  // namespace

Task<Result<void>> VolumeVfs::SetXattr(Caller caller, Ino ino, std::string name, std::string value,
                                       std::uint32_t flags) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckNamespace(name));
  proto::SetXattrRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_name(std::move(name));
  request.set_value(std::move(value));
  request.set_create_only((flags & XATTR_CREATE) != 0);
  request.set_replace_only((flags & XATTR_REPLACE) != 0);
  auto reply =
      co_await parts_.meta.Mutate<proto::SetXattrReply>(loop, caller, proto::METHOD_SET_XATTR, std::move(request));
  if (!reply) co_return reply.error();
  Note(reply->attr());
  co_return Result<void>();
}

bool VolumeVfs::IsKnownToHaveNoXattrs(ClientLoop* loop, Ino ino) {
  std::optional<LeaseCache::Known> known = parts_.leases.cache().Find(ToServer(ino), loop->Now());
  return known && known->attr.has_no_xattrs();
}

Task<Result<std::string>> VolumeVfs::GetXattr(Caller caller, Ino ino, std::string name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckNamespace(name));
  if (IsKnownToHaveNoXattrs(loop, ino)) co_return Error(ErrorCode::kNoAttribute, "no such attribute");
  proto::GetXattrRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_name(std::move(name));
  auto reply =
      co_await parts_.meta.Read<proto::GetXattrReply>(loop, caller, proto::METHOD_GET_XATTR, std::move(request));
  if (!reply) co_return reply.error();
  co_return std::move(*reply->mutable_value());
}

Task<Result<std::vector<std::string>>> VolumeVfs::ListXattr(Caller caller, Ino ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  std::vector<std::string> names;
  if (IsKnownToHaveNoXattrs(loop, ino)) co_return names;
  proto::ListXattrRequest request;
  request.set_ino(ToServer(ino).value());
  auto reply =
      co_await parts_.meta.Read<proto::ListXattrReply>(loop, caller, proto::METHOD_LIST_XATTR, std::move(request));
  if (!reply) co_return reply.error();
  names.assign(reply->names().begin(), reply->names().end());
  co_return names;
}

Task<Result<void>> VolumeVfs::RemoveXattr(Caller caller, Ino ino, std::string name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckNamespace(name));
  proto::RemoveXattrRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_name(std::move(name));
  auto reply = co_await parts_.meta.Mutate<proto::RemoveXattrReply>(loop, caller, proto::METHOD_REMOVE_XATTR,
                                                                    std::move(request));
  if (!reply) co_return reply.error();
  Note(reply->attr());
  co_return Result<void>();
}

}  // namespace gabion
