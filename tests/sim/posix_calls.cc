#include "tests/sim/posix_calls.h"

#include <sys/stat.h>

#include <algorithm>
#include <span>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr std::uint32_t kMaxIoBytes = 1024 * 1024;
constexpr std::uint32_t kReadDirBytes = 4096;  // small, so that listings take several pages
constexpr std::uint32_t kFileMode = S_IFREG | 0644;

// The root's; nobody here is refused anything.
Caller Root() {
  return Caller{0, 0, 1};
}

struct Place {
  Ino parent;
  std::string name;
};

/// The inode that `path` leads to; symbolic links are not followed.
Task<Result<FileAttr>> Walk(Vfs& vfs, std::string path) {
  Result<Attributes> root = co_await vfs.GetAttr(Root(), kRootIno, std::nullopt);
  if (!root) co_return root.error();
  FileAttr at = root->attr;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) continue;
    if (!S_ISDIR(at.mode)) co_return Error(ErrorCode::kNotDirectory, path);
    Result<Entry> entry = co_await vfs.Lookup(Root(), at.ino, std::move(name));
    if (!entry) co_return entry.error();
    at = entry->attr;
  }
  co_return at;
}

Task<Result<Place>> WalkToParent(Vfs& vfs, std::string path) {
  const std::size_t slash = path.find_last_of('/');
  Result<FileAttr> parent = co_await Walk(vfs, path.substr(0, slash));
  if (!parent) co_return parent.error();
  if (!S_ISDIR(parent->mode)) co_return Error(ErrorCode::kNotDirectory, path);
  co_return Place{parent->ino, path.substr(slash + 1)};
}

Task<Result<FileAttr>> StatFd(Vfs& vfs, Fd fd) {
  Result<Attributes> attributes = co_await vfs.GetAttr(Root(), fd.ino, fd.handle);
  if (!attributes) co_return attributes.error();
  co_return attributes->attr;
}

Task<Result<Fd>> OpenExisting(Vfs& vfs, Ino ino, int flags) {
  const int kept = flags & ~(O_CREAT | O_EXCL);
  Result<OpenedFile> opened = co_await vfs.Open(Root(), ino, static_cast<std::uint32_t>(kept));
  if (!opened) co_return opened.error();
  co_return Fd{ino, opened->handle, flags};
}

Task<Result<Fd>> OpenPath(Vfs& vfs, std::string path, int flags) {
  Result<FileAttr> found = co_await Walk(vfs, path);
  if (found) {
    if ((flags & O_EXCL) != 0) co_return Error(ErrorCode::kExists, path);
    if (S_ISDIR(found->mode)) co_return Error(ErrorCode::kIsDirectory, path);
    Task<Result<Fd>> opening = OpenExisting(vfs, found->ino, flags);
    co_return co_await std::move(opening);
  }
  if ((flags & O_CREAT) == 0 || found.error().code() != ErrorCode::kNotFound) co_return found.error();
  Result<Place> place = co_await WalkToParent(vfs, path);
  if (!place) co_return place.error();
  Result<CreatedFile> created =
      co_await vfs.Create(Root(), place->parent, place->name, kFileMode, static_cast<std::uint32_t>(flags));
  if (!created) co_return created.error();
  co_return Fd{created->entry.attr.ino, created->file.handle, flags};
}

Task<Result<std::string>> PreadFd(Vfs& vfs, Fd fd, std::uint64_t offset, std::uint32_t size) {
  Result<FileAttr> attr = co_await StatFd(vfs, fd);
  if (!attr) co_return attr.error();
  const std::uint64_t end = std::min<std::uint64_t>(attr->size, offset + size);
  std::string all;
  while (offset < end) {
    const auto wanted = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - offset, kMaxIoBytes));
    Result<Payload> piece = co_await vfs.Read(Root(), fd.ino, fd.handle, offset, wanted);
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    all += piece->ToString();
    offset += piece->size();
  }
  co_return all;
}

Task<Result<void>> PwriteFd(Vfs& vfs, Fd fd, std::uint64_t offset, std::string bytes) {
  if ((fd.flags & O_APPEND) != 0) {
    // The kernel's own idea of the end, which it has just asked for.
    Result<FileAttr> attr = co_await StatFd(vfs, fd);
    if (!attr) co_return attr.error();
    offset = attr->size;
  }
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t part = std::min<std::size_t>(bytes.size() - done, kMaxIoBytes);
    const std::span<const std::byte> data = std::as_bytes(std::span(bytes)).subspan(done, part);
    Result<void> written = co_await vfs.Write(Root(), fd.ino, fd.handle, offset + done, data, false);
    if (!written) co_return written.error();
    done += part;
  }
  co_return Result<void>();
}

Task<Result<void>> FsyncFd(Vfs& vfs, Fd fd) {
  return vfs.Fsync(Root(), fd.ino, fd.handle, false);
}

Task<Result<void>> Resize(Vfs& vfs, Ino ino, std::optional<HandleId> handle, std::uint64_t size) {
  AttrChange change;
  change.size = size;
  change.handle = handle;
  Result<Attributes> changed = co_await vfs.SetAttr(Root(), ino, std::move(change));
  if (!changed) co_return changed.error();
  co_return Result<void>();
}

Task<Result<void>> CloseFd(Vfs& vfs, Fd fd) {
  Result<void> flushed = co_await vfs.Flush(Root(), fd.ino, fd.handle, fd.process);
  co_await vfs.Release(fd.ino, fd.handle);
  co_return flushed;
}

Task<Result<void>> TruncatePath(Vfs& vfs, std::string path, std::uint64_t size) {
  Result<FileAttr> found = co_await Walk(vfs, std::move(path));
  if (!found) co_return found.error();
  if (S_ISDIR(found->mode)) co_return Error(ErrorCode::kIsDirectory, "truncate");
  Task<Result<void>> resizing = Resize(vfs, found->ino, std::nullopt, size);
  co_return co_await std::move(resizing);
}

Task<Result<void>> MkdirPath(Vfs& vfs, std::string path) {
  Result<Place> place = co_await WalkToParent(vfs, std::move(path));
  if (!place) co_return place.error();
  Result<Entry> made = co_await vfs.Mkdir(Root(), place->parent, place->name, S_IFDIR | 0755);
  if (!made) co_return made.error();
  co_return Result<void>();
}

Task<Result<void>> RmdirPath(Vfs& vfs, std::string path) {
  Result<Place> place = co_await WalkToParent(vfs, std::move(path));
  if (!place) co_return place.error();
  Task<Result<void>> removing = vfs.Rmdir(Root(), place->parent, place->name);
  co_return co_await std::move(removing);
}

Task<Result<void>> UnlinkPath(Vfs& vfs, std::string path) {
  Result<Place> place = co_await WalkToParent(vfs, std::move(path));
  if (!place) co_return place.error();
  Task<Result<void>> removing = vfs.Unlink(Root(), place->parent, place->name);
  co_return co_await std::move(removing);
}

Task<Result<void>> LinkPath(Vfs& vfs, std::string from, std::string to) {
  Result<FileAttr> source = co_await Walk(vfs, std::move(from));
  if (!source) co_return source.error();
  Result<Place> place = co_await WalkToParent(vfs, std::move(to));
  if (!place) co_return place.error();
  Result<Entry> linked = co_await vfs.Link(Root(), source->ino, place->parent, place->name);
  if (!linked) co_return linked.error();
  co_return Result<void>();
}

Task<Result<void>> RenamePath(Vfs& vfs, std::string from, std::string to, std::uint32_t flags) {
  Result<Place> source = co_await WalkToParent(vfs, std::move(from));
  if (!source) co_return source.error();
  Result<Place> target = co_await WalkToParent(vfs, std::move(to));
  if (!target) co_return target.error();
  Task<Result<void>> renaming = vfs.Rename(Root(), source->parent, source->name, target->parent, target->name, flags);
  co_return co_await std::move(renaming);
}

Task<Result<void>> SymlinkPath(Vfs& vfs, std::string target, std::string path) {
  Result<Place> place = co_await WalkToParent(vfs, std::move(path));
  if (!place) co_return place.error();
  Result<Entry> made = co_await vfs.Symlink(Root(), place->parent, place->name, std::move(target));
  if (!made) co_return made.error();
  co_return Result<void>();
}

Task<Result<std::string>> ReadLinkPath(Vfs& vfs, std::string path) {
  Result<FileAttr> found = co_await Walk(vfs, std::move(path));
  if (!found) co_return found.error();
  Task<Result<std::string>> reading = vfs.ReadLink(Root(), found->ino);
  co_return co_await std::move(reading);
}

Task<Result<std::vector<DirectoryItem>>> ListPath(Vfs& vfs, std::string path) {
  Result<FileAttr> found = co_await Walk(vfs, std::move(path));
  if (!found) co_return found.error();
  Result<HandleId> handle = co_await vfs.OpenDir(Root(), found->ino);
  if (!handle) co_return handle.error();
  std::vector<DirectoryItem> items;
  std::uint64_t offset = 0;
  Result<void> outcome;
  for (bool with_attr = false;; with_attr = !with_attr) {
    Result<std::vector<DirEntryPlus>> page =
        co_await vfs.ReadDir(Root(), found->ino, *handle, offset, kReadDirBytes, with_attr);
    if (!page) outcome = page.error();
    if (!page || page->empty()) break;
    for (DirEntryPlus& entry : *page) {
      if (entry.name != "." && entry.name != "..") {
        items.push_back({std::move(entry.name), entry.ino, entry.type_mode & S_IFMT});
      }
    }
    offset = page->back().next_offset;
  }
  co_await vfs.ReleaseDir(found->ino, *handle);
  if (!outcome) co_return outcome.error();
  co_return items;
}

Task<Result<void>> FsyncDirPath(Vfs& vfs, std::string path) {
  Result<FileAttr> found = co_await Walk(vfs, std::move(path));
  if (!found) co_return found.error();
  Task<Result<void>> syncing = vfs.FsyncDir(Root(), found->ino);
  co_return co_await std::move(syncing);
}

Task<Result<void>> WriteWholeFile(Vfs& vfs, std::string path, std::string bytes, bool durably) {
  Result<Fd> fd = co_await OpenPath(vfs, path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd) co_return fd.error();
  Result<void> done = co_await PwriteFd(vfs, *fd, 0, std::move(bytes));
  if (done && durably) done = co_await FsyncFd(vfs, *fd);
  Result<void> closed = co_await CloseFd(vfs, *fd);
  if (done) done = closed;
  co_return done;
}

Task<Result<std::string>> ReadWholeFile(Vfs& vfs, std::string path) {
  Result<Fd> fd = co_await OpenPath(vfs, std::move(path), O_RDONLY);
  if (!fd) co_return fd.error();
  Result<std::string> bytes = co_await PreadFd(vfs, *fd, 0, 1u << 30);
  Result<void> closed = co_await CloseFd(vfs, *fd);
  if (!closed) co_return closed.error();
  co_return bytes;
}

}  // namespace

Task<Result<void>> PosixCalls::Lock(Fd fd, std::uint64_t begin, std::uint64_t last, bool exclusive, bool wait) {
  const RangeLock lock{
      {0, LockKind::kPosix, fd.process}, exclusive, begin, last, static_cast<std::uint32_t>(fd.process)};
  return Here(vfs().SetLock(Root(), fd.ino, fd.handle, lock, wait));
}
Task<Result<void>> PosixCalls::Unlock(Fd fd, std::uint64_t begin, std::uint64_t last) {
  const RangeLock range{{0, LockKind::kPosix, fd.process}, false, begin, last, static_cast<std::uint32_t>(fd.process)};
  return Here(vfs().Unlock(Root(), fd.ino, fd.handle, range));
}
Task<Result<FileAttr>> PosixCalls::Stat(std::string path) {
  return Here(Walk(vfs(), std::move(path)));
}
Task<Result<FileAttr>> PosixCalls::Fstat(Fd fd) {
  return Here(StatFd(vfs(), fd));
}
Task<Result<Fd>> PosixCalls::Open(std::string path, int flags) {
  return Here(OpenPath(vfs(), std::move(path), flags));
}
Task<Result<std::string>> PosixCalls::Pread(Fd fd, std::uint64_t offset, std::uint32_t size) {
  return Here(PreadFd(vfs(), fd, offset, size));
}
Task<Result<void>> PosixCalls::Pwrite(Fd fd, std::uint64_t offset, std::string bytes) {
  return Here(PwriteFd(vfs(), fd, offset, std::move(bytes)));
}
Task<Result<void>> PosixCalls::Fsync(Fd fd) {
  return Here(FsyncFd(vfs(), fd));
}
Task<Result<void>> PosixCalls::Ftruncate(Fd fd, std::uint64_t size) {
  return Here(Resize(vfs(), fd.ino, fd.handle, size));
}
Task<Result<void>> PosixCalls::Close(Fd fd) {
  return Here(CloseFd(vfs(), fd));
}
Task<Result<void>> PosixCalls::Truncate(std::string path, std::uint64_t size) {
  return Here(TruncatePath(vfs(), std::move(path), size));
}
Task<Result<void>> PosixCalls::Mkdir(std::string path) {
  return Here(MkdirPath(vfs(), std::move(path)));
}
Task<Result<void>> PosixCalls::Rmdir(std::string path) {
  return Here(RmdirPath(vfs(), std::move(path)));
}
Task<Result<void>> PosixCalls::Unlink(std::string path) {
  return Here(UnlinkPath(vfs(), std::move(path)));
}
Task<Result<void>> PosixCalls::Link(std::string from, std::string to) {
  return Here(LinkPath(vfs(), std::move(from), std::move(to)));
}
Task<Result<void>> PosixCalls::Rename(std::string from, std::string to, std::uint32_t flags) {
  return Here(RenamePath(vfs(), std::move(from), std::move(to), flags));
}
Task<Result<void>> PosixCalls::Symlink(std::string target, std::string path) {
  return Here(SymlinkPath(vfs(), std::move(target), std::move(path)));
}
Task<Result<std::string>> PosixCalls::ReadLink(std::string path) {
  return Here(ReadLinkPath(vfs(), std::move(path)));
}
Task<Result<std::vector<DirectoryItem>>> PosixCalls::List(std::string path) {
  return Here(ListPath(vfs(), std::move(path)));
}
Task<Result<void>> PosixCalls::FsyncDir(std::string path) {
  return Here(FsyncDirPath(vfs(), std::move(path)));
}
Task<Result<void>> PosixCalls::WriteFile(std::string path, std::string bytes) {
  return Here(WriteWholeFile(vfs(), std::move(path), std::move(bytes), false));
}
Task<Result<void>> PosixCalls::WriteFileDurably(std::string path, std::string bytes) {
  return Here(WriteWholeFile(vfs(), std::move(path), std::move(bytes), true));
}
Task<Result<std::string>> PosixCalls::ReadFile(std::string path) {
  return Here(ReadWholeFile(vfs(), std::move(path)));
}

}  // namespace gabion
