#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// Listing directories.

namespace gabion {
namespace {

// A page of names alone, which is kept until the kernel has taken it.
constexpr std::uint32_t kPageEntries = 1024;
// With attributes, which are old a moment later, only what fits the kernel's buffer is asked for. That is at least so
// many bytes an entry: fuse_direntplus with a short name.
constexpr std::uint32_t kDirentPlusBytes = 160;
constexpr std::uint32_t kDirentBytes = 32;

}  // namespace

/// Registered as files are, for a directory too can be removed while it is open.
Task<Result<HandleId>> VolumeVfs::OpenDir(Caller caller, Ino ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  HandleId handle = parts_.files.NextHandle();
  proto::OpenRequest request;
  request.set_ino(ToServer(ino).value());
  request.set_handle_id(handle.value());
  request.set_flags(O_RDONLY);
  parts_.files.Announce(handle, ToServer(ino));
  Result<proto::OpenReply> reply = co_await SendOpen(loop, caller, std::move(request));
  if (!reply) {
    parts_.files.Abandon(handle);
    if (reply.error().code() == ErrorCode::kCancelled) releases_.Add(loop, handle);  // it may be open there
    co_return reply.error();
  }
  directories_.Add(handle, std::make_shared<OpenDirectory>(ToServer(ino), caller));
  co_return handle;
}

Task<void> VolumeVfs::ReleaseDir(Ino, HandleId handle) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  directories_.Remove(handle);
  parts_.files.Abandon(handle);
  releases_.Add(loop, handle);
}

Task<Result<std::vector<DirEntryPlus>>> VolumeVfs::ReadDir(Caller, Ino, HandleId handle, std::uint64_t offset,
                                                           std::uint32_t max_bytes, bool with_attr) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  OpenDirectoryPtr directory = directories_.Find(handle);
  if (directory == nullptr) co_return Error(ErrorCode::kStale, "there is no such directory handle");
  AsyncMutex::Guard guard = co_await directory->reading.Lock();
  if (offset == 0) directory->Restart();
  if (offset < OpenDirectory::kFirstEntry) co_return co_await ListDots(loop, directory, offset);

  std::uint64_t entry = offset - OpenDirectory::kFirstEntry;
  std::vector<DirEntryPlus> listed;
  if (directory->AtEnd(entry)) co_return listed;
  if (with_attr || directory->Find(entry) == nullptr) {
    std::uint32_t max_entries = with_attr ? std::max(max_bytes / kDirentPlusBytes, 1u) : kPageEntries;
    Result<void> loaded = co_await LoadEntries(loop, directory, entry, max_entries, with_attr);
    if (!loaded && loaded.error().code() == ErrorCode::kStale) co_return listed;  // removed: it has no entries
    if (!loaded) co_return loaded.error();
  }
  std::uint64_t bytes = 0;
  while (const proto::DirEntry* found = directory->Find(entry)) {
    bytes += found->name().size() + (with_attr ? kDirentPlusBytes : kDirentBytes);
    if (bytes > max_bytes && !listed.empty()) break;
    ++entry;
    listed.push_back(ToDirEntry(*found, entry + OpenDirectory::kFirstEntry));
  }
  co_return listed;
}

/// Has the page with `entry` on, as far as the directory goes.
Task<Result<void>> VolumeVfs::LoadEntries(ClientLoop* loop, OpenDirectoryPtr directory, std::uint64_t entry,
                                          std::uint32_t max_entries, bool with_attr) {
  for (;;) {
    OpenDirectory::Cursor cursor = directory->NearestBefore(entry);
    bool there = cursor.entry == entry;
    proto::ReadDirRequest request;
    request.set_ino(directory->ino.value());
    request.set_after_name(cursor.after_name);
    request.set_max_entries(there ? max_entries : kPageEntries);  // on the way to a place that the kernel seeks
    request.set_with_attr(there && with_attr);
    auto reply = co_await parts_.meta.Read<proto::ReadDirReply>(loop, directory->opener, proto::METHOD_READ_DIR,
                                                                std::move(request));
    if (!reply) co_return reply.error();
    LearnListing(loop, directory->ino, *reply);
    directory->Adopt(cursor, std::move(*reply));
    if (there || directory->AtEnd(entry)) co_return Result<void>();
  }
}

void VolumeVfs::LearnListing(ClientLoop* loop, Ino directory, const proto::ReadDirReply& reply) {
  LeaseCache& cache = parts_.leases.cache();
  const TimePoint now = loop->Now();
  for (const proto::DirEntry& entry : reply.entries()) {
    if (!entry.has_attr()) continue;  // without them, looking it up takes an answer all the same
    cache.Learn(reply.note(), entry.attr(), now);
    if (reply.entries_leased()) cache.LearnEntry(reply.note(), directory, entry.name(), Ino(entry.ino()), now);
  }
}

DirEntryPlus VolumeVfs::ToDirEntry(const proto::DirEntry& found, std::uint64_t next_offset) {
  DirEntryPlus entry;
  entry.name = found.name();
  entry.ino = parts_.root.ToKernel(Ino(found.ino()));
  entry.type_mode = found.mode();
  entry.next_offset = next_offset;
  if (!found.has_attr()) return entry;
  // What is not settled at once is left to be looked up.
  if (std::optional<FileAttr> attr = TryPresent(found.attr())) {
    entry.entry = Entry{*attr, Validity{}};
  }
  return entry;
}

Task<Result<std::vector<DirEntryPlus>>> VolumeVfs::ListDots(ClientLoop* loop, OpenDirectoryPtr directory,
                                                            std::uint64_t offset) {
  std::vector<DirEntryPlus> dots;
  if (offset == 0) dots.push_back({".", parts_.root.ToKernel(directory->ino), S_IFDIR, 1, std::nullopt});
  Ino parent = directory->ino;
  if (!parts_.root.IsRoot(parts_.root.ToKernel(directory->ino))) {
    proto::LookupRequest request;
    request.set_parent(directory->ino.value());
    request.set_name("..");
    auto reply =
        co_await parts_.meta.Read<proto::LookupReply>(loop, kOwnWork, proto::METHOD_LOOKUP, std::move(request));
    if (reply) parent = Ino(reply->attr().ino());
  }
  dots.push_back({"..", parts_.root.ToKernel(parent), S_IFDIR, OpenDirectory::kFirstEntry, std::nullopt});
  co_return dots;
}

Task<Result<void>> VolumeVfs::FsyncDir(Caller caller, Ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  proto::SyncMetaRequest request;
  auto reply =
      co_await parts_.meta.Read<proto::SyncMetaReply>(loop, caller, proto::METHOD_SYNC_META, std::move(request));
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

}  // namespace gabion
