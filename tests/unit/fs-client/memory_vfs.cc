#include "tests/unit/fs-client/memory_vfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>

#include "fs-client/fuse/encode.h"

namespace gabion {
namespace {

constexpr std::uint64_t kMaxFileBytes = 8ull << 30;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::uint64_t kTotalBytes = 1ull << 40;
constexpr unsigned kRenameNoReplace = 1;
constexpr unsigned kRenameExchange = 2;

Error NotFound() {
  return {ErrorCode::kNotFound, "no such name or inode"};
}

Result<void> CheckName(const std::string& name) {
  if (name.size() > kMaxNameBytes) return {ErrorCode::kNameTooLong, "a name is too long"};
  if (name.empty() || name.find('/') != std::string::npos) return {ErrorCode::kInvalidArgument, "no name"};
  return {};
}

}  // namespace

MemoryVfs::MemoryVfs(Clock& clock, Options options) : clock_(clock), options_(options) {
  Node& root = NewNode({}, S_IFDIR | 0755);
  root.attr.nlink = 2;
  root.parent = kRootIno;
}

std::size_t MemoryVfs::open_handles() const {
  std::lock_guard lock(mutex_);
  return handles_.size();
}

Result<MemoryVfs::Node*> MemoryVfs::Find(Ino ino) {
  auto found = nodes_.find(ino);
  if (found == nodes_.end()) return Error(ErrorCode::kStale, "no such inode");
  return found->second.get();
}

Result<MemoryVfs::Node*> MemoryVfs::FindDirectory(Ino ino) {
  TRY_ASSIGN(Node * node, Find(ino));
  if (!S_ISDIR(node->attr.mode)) return Error(ErrorCode::kNotDirectory, "not a directory");
  return node;
}

Result<MemoryVfs::Node*> MemoryVfs::FindChild(Ino parent, const std::string& name) {
  TRY_ASSIGN(Node * directory, FindDirectory(parent));
  TRY(CheckName(name));
  if (name == ".") return directory;
  if (name == "..") return Find(directory->parent);
  auto found = directory->names.find(name);
  if (found == directory->names.end()) return NotFound();
  return Find(found->second.ino);
}

MemoryVfs::Node& MemoryVfs::NewNode(Caller caller, std::uint32_t mode) {
  auto node = std::make_unique<Node>();
  node->attr.ino = Ino(next_ino_++);
  node->attr.mode = mode;
  node->attr.uid = caller.uid;
  node->attr.gid = caller.gid;
  node->attr.btime_ns = clock_.WallNowNs();
  node->attr.atime_ns = node->attr.btime_ns;
  Touch(*node);
  Node& made = *node;
  nodes_[made.attr.ino] = std::move(node);
  return made;
}

void MemoryVfs::AddName(Node& directory, const std::string& name, Node& child) {
  std::uint64_t cookie = next_cookie_++;
  directory.names[name] = {child.attr.ino, cookie};
  directory.by_cookie[cookie] = name;
  if (S_ISDIR(child.attr.mode)) {
    child.parent = directory.attr.ino;
    child.attr.nlink = 2;
    ++directory.attr.nlink;
  } else {
    ++child.attr.nlink;
  }
  Touch(directory);
}

void MemoryVfs::RemoveName(Node& directory, const std::string& name) {
  auto found = directory.names.find(name);
  Node& child = *nodes_.at(found->second.ino);
  directory.by_cookie.erase(found->second.cookie);
  directory.names.erase(found);
  if (S_ISDIR(child.attr.mode)) {
    child.attr.nlink = 0;
    --directory.attr.nlink;
  } else {
    --child.attr.nlink;
  }
  Touch(directory);
}

Result<MemoryVfs::Node*> MemoryVfs::Make(Caller caller, Ino parent, const std::string& name, std::uint32_t mode) {
  TRY_ASSIGN(Node * directory, FindDirectory(parent));
  TRY(CheckName(name));
  if (directory->names.contains(name)) return Error(ErrorCode::kExists, "it exists");
  if (directory->attr.mode & S_ISGID) {
    caller.gid = directory->attr.gid;
    if (S_ISDIR(mode)) mode |= S_ISGID;
  }
  Node& node = NewNode(caller, mode);
  node.hangs = name.starts_with(".hang");
  AddName(*directory, name, node);
  return &node;
}

void MemoryVfs::DropIfUnused(Node& node) {
  if (node.attr.nlink == 0 && node.open_count == 0) nodes_.erase(node.attr.ino);
}

Result<void> MemoryVfs::RemoveChild(Ino parent, const std::string& name, bool directory) {
  TRY_ASSIGN(Node * child, FindChild(parent, name));
  if (directory && !S_ISDIR(child->attr.mode)) return Error(ErrorCode::kNotDirectory, "not a directory");
  if (!directory && S_ISDIR(child->attr.mode)) return Error(ErrorCode::kIsDirectory, "a directory");
  if (!child->names.empty()) return Error(ErrorCode::kNotEmpty, "not empty");
  RemoveName(*nodes_.at(parent), name);
  child->attr.ctime_ns = clock_.WallNowNs();
  DropIfUnused(*child);
  return {};
}

void MemoryVfs::Resize(Node& node, std::uint64_t size) {
  node.data.resize(size);
  node.attr.size = size;
  node.attr.used_bytes = size;
  Touch(node);
}

void MemoryVfs::Touch(Node& node) {
  node.attr.mtime_ns = clock_.WallNowNs();
  node.attr.ctime_ns = node.attr.mtime_ns;
}

OpenedFile MemoryVfs::OpenNode(Node& node) {
  HandleId handle(next_handle_++);
  handles_[handle] = node.attr.ino;
  ++node.open_count;
  return {handle, options_.keep_cache, options_.direct_io};
}

void MemoryVfs::CloseHandle(Ino ino, HandleId handle) {
  std::lock_guard lock(mutex_);
  if (handles_.erase(handle) == 0) return;
  Node& node = *nodes_.at(ino);
  --node.open_count;
  DropIfUnused(node);
}

Task<Result<Entry>> MemoryVfs::Lookup(Caller, Ino parent, std::string name) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, FindChild(parent, name));
  co_return ToEntry(*node);
}

Task<Result<Attributes>> MemoryVfs::GetAttr(Caller, Ino ino, std::optional<HandleId>) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  co_return Attributes{node->attr, options_.validity.attr_ns};
}

Task<Result<Attributes>> MemoryVfs::SetAttr(Caller, Ino ino, AttrChange change) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  FileAttr& attr = node->attr;
  if (change.size && *change.size > kMaxFileBytes) co_return Error(ErrorCode::kTooLarge, "too large");
  std::int64_t now = clock_.WallNowNs();
  if (change.size) Resize(*node, *change.size);
  if (change.mode) attr.mode = (attr.mode & S_IFMT) | (*change.mode & 07777);
  if (change.kill_suid_sgid) attr.mode &= ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
  attr.uid = change.uid.value_or(attr.uid);
  attr.gid = change.gid.value_or(attr.gid);
  attr.atime_ns = change.atime_now ? now : change.atime_ns.value_or(attr.atime_ns);
  attr.mtime_ns = change.mtime_now ? now : change.mtime_ns.value_or(attr.mtime_ns);
  attr.ctime_ns = now;
  co_return Attributes{attr, options_.validity.attr_ns};
}

Task<Result<std::string>> MemoryVfs::ReadLink(Caller, Ino ino) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  co_return node->target;
}

Task<Result<Entry>> MemoryVfs::Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                     std::uint64_t rdev) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Make(caller, parent, name, mode));
  node->attr.rdev = rdev;
  co_return ToEntry(*node);
}

Task<Result<Entry>> MemoryVfs::Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Make(caller, parent, name, S_IFDIR | mode));
  co_return ToEntry(*node);
}

Task<Result<Entry>> MemoryVfs::Symlink(Caller caller, Ino parent, std::string name, std::string target) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Make(caller, parent, name, S_IFLNK | 0777));
  node->attr.size = target.size();
  node->target = std::move(target);
  co_return ToEntry(*node);
}

Task<Result<Entry>> MemoryVfs::Link(Caller, Ino ino, Ino new_parent, std::string new_name) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  CO_TRY_ASSIGN(Node * directory, FindDirectory(new_parent));
  CO_TRY(CheckName(new_name));
  if (directory->names.contains(new_name)) co_return Error(ErrorCode::kExists, "it exists");
  AddName(*directory, new_name, *node);
  node->attr.ctime_ns = clock_.WallNowNs();
  co_return ToEntry(*node);
}

Task<Result<void>> MemoryVfs::Unlink(Caller, Ino parent, std::string name) {
  std::lock_guard lock(mutex_);
  co_return RemoveChild(parent, name, false);
}

Task<Result<void>> MemoryVfs::Rmdir(Caller, Ino parent, std::string name) {
  std::lock_guard lock(mutex_);
  co_return RemoveChild(parent, name, true);
}

Task<Result<void>> MemoryVfs::Rename(Caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                                     std::uint32_t flags) {
  std::lock_guard lock(mutex_);
  if (flags > kRenameExchange) co_return Error(ErrorCode::kInvalidArgument, "unknown flags");
  CO_TRY_ASSIGN(Node * moved, FindChild(parent, name));
  CO_TRY_ASSIGN(Node * from, FindDirectory(parent));
  CO_TRY_ASSIGN(Node * to, FindDirectory(new_parent));
  CO_TRY(CheckName(new_name));
  auto existing = to->names.find(new_name);
  Node* other = existing == to->names.end() ? nullptr : nodes_.at(existing->second.ino).get();
  if (flags == kRenameExchange) {
    if (other == nullptr) co_return NotFound();
    RemoveName(*from, name);
    RemoveName(*to, new_name);
    AddName(*from, name, *other);
    AddName(*to, new_name, *moved);
    co_return Result<void>();
  }
  if (other != nullptr && flags == kRenameNoReplace) co_return Error(ErrorCode::kExists, "it exists");
  if (other == moved) co_return Result<void>();
  if (other != nullptr) CO_TRY(RemoveChild(new_parent, new_name, S_ISDIR(moved->attr.mode)));
  RemoveName(*from, name);
  AddName(*to, new_name, *moved);
  moved->attr.ctime_ns = clock_.WallNowNs();
  co_return Result<void>();
}

Task<Result<CreatedFile>> MemoryVfs::Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                            std::uint32_t flags) {
  std::lock_guard lock(mutex_);
  Result<Node*> found = FindChild(parent, name);
  if (found && (flags & O_EXCL)) co_return Error(ErrorCode::kExists, "it exists");
  if (!found && found.error().code() != ErrorCode::kNotFound) co_return found.error();
  if (!found) found = Make(caller, parent, name, S_IFREG | (mode & 07777));
  CO_TRY_ASSIGN(Node * node, std::move(found));
  if (flags & O_TRUNC) Resize(*node, 0);
  co_return CreatedFile{ToEntry(*node), OpenNode(*node)};
}

Task<Result<CreatedFile>> MemoryVfs::TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN([[maybe_unused]] Node * directory, FindDirectory(parent));
  Node& node = NewNode(caller, S_IFREG | (mode & 07777));
  co_return CreatedFile{ToEntry(node), OpenNode(node)};
}

Task<Result<OpenedFile>> MemoryVfs::Open(Caller, Ino ino, std::uint32_t flags) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  if (flags & O_TRUNC) Resize(*node, 0);
  co_return OpenNode(*node);
}

Task<Result<Payload>> MemoryVfs::Read(Caller, Ino ino, HandleId, std::uint64_t offset_bytes, std::uint32_t size) {
  std::unique_lock lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  if (node->hangs) {
    lock.unlock();
    // Sleeping honours cancellation, and nothing else ends it within a test's life.
    co_await clock_.SleepFor(std::chrono::hours(1));
    co_return Error(ErrorCode::kCancelled, "cancelled");
  }
  if (offset_bytes >= node->data.size()) co_return Payload();
  std::size_t length = std::min<std::size_t>(size, node->data.size() - offset_bytes);
  MutableBuffer buffer(length);
  std::memcpy(buffer.data(), node->data.data() + offset_bytes, length);
  co_return Payload(std::move(buffer).Share());
}

Task<Result<void>> MemoryVfs::Write(Caller, Ino ino, HandleId, std::uint64_t offset_bytes,
                                    std::span<const std::byte> data, bool kill_suid_sgid) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  if (offset_bytes + data.size() > kMaxFileBytes) co_return Error(ErrorCode::kTooLarge, "too large");
  if (offset_bytes + data.size() > node->data.size()) Resize(*node, offset_bytes + data.size());
  if (!data.empty()) std::memcpy(node->data.data() + offset_bytes, data.data(), data.size());
  if (kill_suid_sgid) node->attr.mode &= ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
  Touch(*node);
  co_return Result<void>();
}

Task<Result<void>> MemoryVfs::Flush(Caller, Ino, HandleId, std::uint64_t) {
  co_return Result<void>();
}

Task<Result<void>> MemoryVfs::SetLock(Caller, Ino, HandleId, RangeLock, bool) {
  co_return Error(ErrorCode::kNotSupported, "no locks here");
}

Task<Result<void>> MemoryVfs::Unlock(Caller, Ino, HandleId, RangeLock) {
  co_return Result<void>();
}

Task<Result<std::optional<RangeLock>>> MemoryVfs::TestLock(Caller, Ino, RangeLock) {
  co_return std::optional<RangeLock>();
}

Task<void> MemoryVfs::Release(Ino ino, HandleId handle) {
  CloseHandle(ino, handle);
  co_return;
}

Task<Result<void>> MemoryVfs::Fsync(Caller, Ino, HandleId, bool) {
  co_return Result<void>();
}

Task<Result<void>> MemoryVfs::Fallocate(Caller, Ino ino, HandleId, FallocateMode mode, std::uint64_t offset_bytes,
                                        std::uint64_t length_bytes) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  std::uint64_t end = offset_bytes + length_bytes;
  if (end > kMaxFileBytes) co_return Error(ErrorCode::kTooLarge, "too large");
  bool grows = mode == FallocateMode::kAllocate || mode == FallocateMode::kZeroRange;
  bool zeroes = mode != FallocateMode::kAllocate && mode != FallocateMode::kKeepSize;
  if (grows && end > node->data.size()) Resize(*node, end);
  std::uint64_t last = std::min<std::uint64_t>(end, node->data.size());
  if (zeroes && offset_bytes < last) std::memset(node->data.data() + offset_bytes, 0, last - offset_bytes);
  co_return Result<void>();
}

Task<Result<std::uint64_t>> MemoryVfs::Seek(Caller, Ino ino, HandleId, std::uint64_t offset_bytes, SeekWhence whence) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  if (offset_bytes >= node->data.size()) co_return Error(ErrorCode::kNoAttribute, "behind the end");
  if (whence == SeekWhence::kData) co_return offset_bytes;
  co_return std::uint64_t{node->data.size()};
}

Task<Result<HandleId>> MemoryVfs::OpenDir(Caller, Ino ino) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, FindDirectory(ino));
  co_return OpenNode(*node).handle;
}

Task<Result<std::vector<DirEntryPlus>>> MemoryVfs::ReadDir(Caller, Ino ino, HandleId, std::uint64_t offset,
                                                           std::uint32_t max_bytes, bool with_attr) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, FindDirectory(ino));
  std::vector<DirEntryPlus> entries;
  if (offset < 1) entries.push_back({".", ino, S_IFDIR, 1, std::nullopt});
  if (offset < 2) entries.push_back({"..", node->parent, S_IFDIR, 2, std::nullopt});
  std::size_t bytes = 0;
  for (auto place = node->by_cookie.upper_bound(offset); place != node->by_cookie.end() && bytes < max_bytes; ++place) {
    const auto& [cookie, name] = *place;
    const Node& child = *nodes_.at(node->names.at(name).ino);
    DirEntryPlus entry{name, child.attr.ino, child.attr.mode & S_IFMT, cookie, std::nullopt};
    if (with_attr) entry.entry = ToEntry(child);
    bytes += name.size() + sizeof(fuse_dirent);
    entries.push_back(std::move(entry));
  }
  co_return entries;
}

Task<void> MemoryVfs::ReleaseDir(Ino ino, HandleId handle) {
  CloseHandle(ino, handle);
  co_return;
}

Task<Result<void>> MemoryVfs::FsyncDir(Caller, Ino) {
  co_return Result<void>();
}

Task<Result<void>> MemoryVfs::SetXattr(Caller, Ino ino, std::string name, std::string value, std::uint32_t flags) {
  {
    std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(Node * node, Find(ino));
    bool there = node->xattrs.contains(name);
    if (there && (flags & XATTR_CREATE)) co_return Error(ErrorCode::kExists, "it exists");
    if (!there && (flags & XATTR_REPLACE)) co_return Error(ErrorCode::kNoAttribute, "no such attribute");
    node->xattrs[name] = std::move(value);
  }
  if (name == "user.invalidate" && invalidator_ != nullptr) (void)co_await invalidator_->InvalidateData(ino);
  co_return Result<void>();
}

Task<Result<std::string>> MemoryVfs::GetXattr(Caller, Ino ino, std::string name) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  auto found = node->xattrs.find(name);
  if (found == node->xattrs.end()) co_return Error(ErrorCode::kNoAttribute, "no such attribute");
  co_return found->second;
}

Task<Result<std::vector<std::string>>> MemoryVfs::ListXattr(Caller, Ino ino) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  co_return names;
}

Task<Result<void>> MemoryVfs::RemoveXattr(Caller, Ino ino, std::string name) {
  std::lock_guard lock(mutex_);
  CO_TRY_ASSIGN(Node * node, Find(ino));
  if (node->xattrs.erase(name) == 0) co_return Error(ErrorCode::kNoAttribute, "no such attribute");
  co_return Result<void>();
}

Task<Result<StatFs>> MemoryVfs::StatVolume() {
  co_return StatFs{kTotalBytes, kTotalBytes / 2, 1u << 30, 1u << 29};
}

}  // namespace gabion
