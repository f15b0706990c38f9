#include <sys/stat.h>

#include <utility>

#include "common/env/mutate.h"
#include "fs-client/vfs/volume_vfs.h"

// Names: looking them up, making, moving and removing them. Each is one request to the metaserver.

namespace gabion {
namespace {

// Of renameat2(2); <stdio.h> has them under a GNU macro only.
constexpr std::uint32_t kRenameNoReplace = 1;
constexpr std::uint32_t kRenameExchange = 2;

}  // namespace

Task<Result<Entry>> VolumeVfs::Lookup(Caller caller, Ino parent, std::string name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  bool dots = name == "." || name == "..";  // asked for by who exports the mount over NFS
  if (!dots) CO_TRY(CheckEntryName(name));
  if (name == ".." && parts_.root.IsRoot(parent)) name = ".";
  if (!dots) {
    if (std::optional<Result<Entry>> known = FindKnownEntry(loop, ToServer(parent), name)) co_return *known;
  }
  proto::LookupRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(name);
  auto reply = co_await parts_.meta.Read<proto::LookupReply>(loop, caller, proto::METHOD_LOOKUP, std::move(request));
  if (!reply) co_return reply.error();
  LeaseCache& cache = parts_.leases.cache();
  cache.Learn(reply->note(), reply->attr(), loop->Now());
  if (reply->entries_leased() && !dots)
    cache.LearnEntry(reply->note(), ToServer(parent), name, Ino(reply->attr().ino()), reply->attr().mode() & S_IFMT,
                     loop->Now());
  if (!reply->has_attr()) co_return AbsentEntry(loop, ToServer(parent), name);
  const Ino ino(reply->attr().ino());
  CO_TRY_ASSIGN(Entry entry, co_await PresentEntry(std::move(*reply->mutable_attr())));
  entry.validity = ValidityOf(loop, ToServer(parent), name, ino, reply->note().number());
  co_return entry;
}

Result<Entry> VolumeVfs::AbsentEntry(ClientLoop* loop, Ino parent, const std::string& name) {
  Entry absent;
  absent.validity = ValidityOf(loop, parent, name, Ino(), 0);
  if (absent.validity.entry_ns == 0) return Error(ErrorCode::kNotFound, "no such name");
  return absent;
}

std::optional<Result<Entry>> VolumeVfs::FindKnownEntry(ClientLoop* loop, Ino parent, const std::string& name) {
  LeaseCache& cache = parts_.leases.cache();
  std::optional<Ino> ino = cache.FindEntry(parent, name, loop->Now());
  if (!ino) return std::nullopt;
  if (!*ino) return AbsentEntry(loop, parent, name);
  std::optional<LeaseCache::Known> known = cache.Find(*ino, loop->Now());
  std::optional<FileAttr> file = known ? TryPresent(known->attr) : std::nullopt;
  if (!file) return std::nullopt;
  return Entry{*file, ValidityOf(loop, parent, name, *ino, known->number)};
}

Task<Result<std::string>> VolumeVfs::ReadLink(Caller caller, Ino ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::ReadLinkRequest request;
  request.set_ino(ToServer(ino).value());
  auto reply =
      co_await parts_.meta.Read<proto::ReadLinkReply>(loop, caller, proto::METHOD_READ_LINK, std::move(request));
  if (!reply) co_return reply.error();
  co_return std::move(*reply->mutable_target());
}

Task<Result<proto::CreateReply>> VolumeVfs::Make(ClientLoop* loop, Caller caller, proto::CreateRequest request) {
  // Without its groups a caller would lose the set-group-id bit silently.
  if ((request.mode() & S_ISGID) != 0) parts_.meta.AddGroups(caller, *request.mutable_op());
  for (;;) {
    SessionId session = parts_.session.state()->id;
    std::optional<NewFileIds> ids = parts_.session.TryTakeFileIds(loop);
    if (!ids) {
      CO_TRY_ASSIGN(ids, co_await parts_.session.TakeFileIds(loop));
    }
    request.set_ino(ids->ino.value());
    if (S_ISREG(request.mode())) request.set_first_chunk_id(ids->first_chunk.value());
    if (request.handle_id() != 0) (void)parts_.files.Announce(HandleId(request.handle_id()), ids->ino);
    proto::CreateRequest copy = request;
    auto reply = co_await parts_.meta.Mutate<proto::CreateReply>(loop, caller, proto::METHOD_CREATE, std::move(copy));
    bool numbers_void =
        !reply && parts_.session.state()->id != session && reply.error().code() == ErrorCode::kInvalidArgument;
    if (!numbers_void) co_return reply;
  }
}

Task<Result<Entry>> VolumeVfs::MakeEntry(ClientLoop* loop, Caller caller, proto::CreateRequest request) {
  CO_TRY(CheckEntryName(request.name()));
  auto reply = co_await Make(loop, caller, std::move(request));
  if (!reply) co_return reply.error();
  LeaseCache& cache = parts_.leases.cache();
  cache.Learn(reply->note(), reply->attr(), loop->Now());
  const bool is_empty = S_ISDIR(reply->attr().mode()) && reply->created() && reply->attr().leased();
  if (is_empty) cache.LearnEmpty(reply->note(), Ino(reply->attr().ino()), loop->Now());
  co_return co_await PresentEntry(std::move(*reply->mutable_attr()));
}

Task<Result<Entry>> VolumeVfs::Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                     std::uint64_t rdev) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::CreateRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  request.set_mode(mode);
  request.set_rdev(rdev);
  request.set_exclusive(true);
  co_return co_await MakeEntry(loop, caller, std::move(request));
}

Task<Result<Entry>> VolumeVfs::Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::CreateRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  request.set_mode((mode & 07777u) | S_IFDIR);
  request.set_exclusive(true);
  co_return co_await MakeEntry(loop, caller, std::move(request));
}

Task<Result<Entry>> VolumeVfs::Symlink(Caller caller, Ino parent, std::string name, std::string target) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::CreateRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  request.set_mode(S_IFLNK | 0777u);
  request.set_symlink_target(std::move(target));
  request.set_exclusive(true);
  co_return co_await MakeEntry(loop, caller, std::move(request));
}

Task<Result<Entry>> VolumeVfs::Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckEntryName(new_name));
  proto::LinkRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_new_parent(ToServer(new_parent).value());
  request.set_new_name(std::move(new_name));
  auto reply = co_await parts_.meta.Mutate<proto::LinkReply>(loop, caller, proto::METHOD_LINK, std::move(request));
  if (!reply) co_return reply.error();
  parts_.leases.cache().Learn(reply->note(), reply->attr(), loop->Now());
  co_return co_await PresentEntry(std::move(*reply->mutable_attr()));
}

template <typename Reply, typename Request>
Task<Result<Reply>> VolumeVfs::Remove(ClientLoop* loop, Caller caller, proto::Method method, Request request,
                                      Ino parent, std::string name) {
  std::optional<Ino> expected = parts_.leases.cache().FindEntry(ToServer(parent), name, loop->Now());
  for (;;) {
    OwnOpens::Removal removal(parts_.files.own(), expected);
    if (!Mutated("lease.remove_unnamed")) {
      CO_TRY(co_await parts_.naming.Name(loop, expected));
    }
    Request copy = request;  // every try is an op of its own, for the metaserver remembers that it said no
    if (expected) copy.set_expected_ino(expected->value());
    auto reply = co_await parts_.meta.Mutate<Reply>(loop, caller, method, std::move(copy));
    if (reply || reply.error().code() != ErrorCode::kNameChanged) co_return reply;
    expected.reset();
  }
}

Task<Result<void>> VolumeVfs::Unlink(Caller caller, Ino parent, std::string name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckEntryName(name));
  proto::UnlinkRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(name);
  auto reply = co_await Remove<proto::UnlinkReply>(loop, caller, proto::METHOD_UNLINK, std::move(request), parent,
                                                   std::move(name));
  if (!reply) co_return reply.error();
  if (reply->unused()) DiscardRemoved(loop, Ino(reply->ino()), reply->open_handles());
  co_return Result<void>();
}

/// No other client has the file open: if nobody here has, what was written to it needs not be sent.
void VolumeVfs::DiscardRemoved(ClientLoop* loop, Ino ino,
                               const google::protobuf::RepeatedField<std::uint64_t>& open_there) {
  std::vector<HandleId> handles;
  for (std::uint64_t handle : open_there) handles.emplace_back(handle);
  OpenInodePtr inode = parts_.files.MarkRemoved(ino, handles);
  if (inode != nullptr) parts_.write_back.Discard(loop, inode);
}

/// Programs replace a file by one that they have just written, and do not sync it. What others find there after a crash
/// of this client is to be one or the other.
Task<void> VolumeVfs::FlushMoved(ClientLoop* loop, Caller caller, Ino parent, std::string name, Ino new_parent,
                                 std::string new_name, bool exchange) {
  if (!parts_.write_back.IsDirty()) co_return;
  const std::optional<Ino> replaced = parts_.leases.cache().FindEntry(ToServer(new_parent), new_name, loop->Now());
  if (replaced && !*replaced) co_return;
  co_await FlushNamed(loop, caller, ToServer(parent), std::move(name));
  if (exchange) co_await FlushNamed(loop, caller, ToServer(new_parent), std::move(new_name));
}

/// Errors are for whoever syncs.
Task<void> VolumeVfs::FlushNamed(ClientLoop* loop, Caller caller, Ino parent, std::string name) {
  std::optional<Ino> ino = parts_.leases.cache().FindEntry(parent, name, loop->Now());
  if (!ino) {
    proto::LookupRequest request;
    request.set_parent(parent.value());
    request.set_name(std::move(name));
    auto reply = co_await parts_.meta.Read<proto::LookupReply>(loop, caller, proto::METHOD_LOOKUP, std::move(request));
    if (!reply) co_return;  // what the rename is refused for as well
    ino = Ino(reply->attr().ino());
  }
  OpenInodePtr inode = parts_.files.FindInode(*ino);
  if (inode != nullptr) co_await FlushIfDirty(loop, std::move(inode));
}

Task<Result<void>> VolumeVfs::Rmdir(Caller caller, Ino parent, std::string name) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckEntryName(name));
  proto::RmdirRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  auto reply = co_await parts_.meta.Mutate<proto::RmdirReply>(loop, caller, proto::METHOD_RMDIR, std::move(request));
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<Result<void>> VolumeVfs::Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                                     std::uint32_t flags) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY(CheckEntryName(name));
  CO_TRY(CheckEntryName(new_name));
  if (flags != 0 && flags != kRenameNoReplace && flags != kRenameExchange) {
    co_return Error(ErrorCode::kInvalidArgument, "these flags of rename are not supported");
  }
  if (flags != kRenameNoReplace) co_await FlushMoved(loop, caller, parent, name, new_parent, new_name, flags != 0);
  proto::RenameRequest request;
  request.set_parent(ToServer(parent).value());
  request.set_name(std::move(name));
  request.set_new_parent(ToServer(new_parent).value());
  request.set_new_name(new_name);
  request.set_no_replace(flags == kRenameNoReplace);
  request.set_exchange(flags == kRenameExchange);
  Task<Result<proto::RenameReply>> renaming =
      flags == 0 ? Remove<proto::RenameReply>(loop, caller, proto::METHOD_RENAME, std::move(request), new_parent,
                                              std::move(new_name))
                 : parts_.meta.Mutate<proto::RenameReply>(loop, caller, proto::METHOD_RENAME, std::move(request));
  Result<proto::RenameReply> reply = co_await std::move(renaming);
  if (!reply) co_return reply.error();
  if (reply->replaced_unused()) DiscardRemoved(loop, Ino(reply->replaced_ino()), reply->replaced_handles());
  co_await parts_.leases.Moved(loop->env(), ToServer(parent), ToServer(new_parent));
  co_return Result<void>();
}

}  // namespace gabion
