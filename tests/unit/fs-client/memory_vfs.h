#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/env/env.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// A volume in this process's memory: what is below the FUSE front end in its tests, and what its floor is measured
/// with. Any of the loops, behind one mutex. The kernel checks permissions; this does not.
///
/// A file whose name begins with ".hang" never answers a READ: it ends when the request is cancelled.
class MemoryVfs : public Vfs {
 public:
  struct Options {
    /// What the kernel is told of every answer.
    Validity validity;
    bool keep_cache = false;
    bool direct_io = false;
  };

  MemoryVfs(Clock& clock, Options options);

  /// What "user.invalidate" on an inode uses: setting it drops the kernel's pages of the inode.
  void SetInvalidator(CacheInvalidator* invalidator) { invalidator_ = invalidator; }
  /// Open handles, of files and directories.
  std::size_t open_handles() const;

  Task<Result<Entry>> Lookup(Caller caller, Ino parent, std::string name) override;
  Task<Result<Attributes>> GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) override;
  Task<Result<Attributes>> SetAttr(Caller caller, Ino ino, AttrChange change) override;
  Task<Result<std::string>> ReadLink(Caller caller, Ino ino) override;
  Task<Result<Entry>> Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                            std::uint64_t rdev) override;
  Task<Result<Entry>> Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) override;
  Task<Result<Entry>> Symlink(Caller caller, Ino parent, std::string name, std::string target) override;
  Task<Result<Entry>> Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) override;
  Task<Result<void>> Unlink(Caller caller, Ino parent, std::string name) override;
  Task<Result<void>> Rmdir(Caller caller, Ino parent, std::string name) override;
  Task<Result<void>> Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                            std::uint32_t flags) override;
  Task<Result<CreatedFile>> Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                   std::uint32_t flags) override;
  Task<Result<CreatedFile>> TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) override;
  Task<Result<OpenedFile>> Open(Caller caller, Ino ino, std::uint32_t flags) override;
  Task<Result<Payload>> Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                             std::uint32_t size) override;
  Task<Result<void>> Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                           std::span<const std::byte> data, bool kill_suid_sgid) override;
  Task<Result<void>> Flush(Caller caller, Ino ino, HandleId handle, std::uint64_t lock_owner) override;
  Task<Result<void>> SetLock(Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait) override;
  Task<Result<void>> Unlock(Caller caller, Ino ino, HandleId handle, RangeLock range) override;
  Task<Result<std::optional<RangeLock>>> TestLock(Caller caller, Ino ino, RangeLock lock) override;
  Task<void> Release(Ino ino, HandleId handle) override;
  Task<Result<void>> Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) override;
  Task<Result<void>> Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Task<Result<std::uint64_t>> Seek(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                   SeekWhence whence) override;
  Task<Result<HandleId>> OpenDir(Caller caller, Ino ino) override;
  Task<Result<std::vector<DirEntryPlus>>> ReadDir(Caller caller, Ino ino, HandleId handle, std::uint64_t offset,
                                                  std::uint32_t max_bytes, bool with_attr) override;
  Task<void> ReleaseDir(Ino ino, HandleId handle) override;
  Task<Result<void>> FsyncDir(Caller caller, Ino ino) override;
  Task<Result<void>> SetXattr(Caller caller, Ino ino, std::string name, std::string value,
                              std::uint32_t flags) override;
  Task<Result<std::string>> GetXattr(Caller caller, Ino ino, std::string name) override;
  Task<Result<std::vector<std::string>>> ListXattr(Caller caller, Ino ino) override;
  Task<Result<void>> RemoveXattr(Caller caller, Ino ino, std::string name) override;
  Task<Result<StatFs>> StatVolume() override;

 private:
  struct Dentry {
    Ino ino;
    std::uint64_t cookie = 0;  // its place in listings, which no other name gets
  };
  struct Node {
    FileAttr attr;
    Ino parent;  // of a directory
    std::map<std::string, Dentry> names;
    std::map<std::uint64_t, std::string> by_cookie;
    std::string target;
    std::vector<std::byte> data;
    std::map<std::string, std::string> xattrs;
    unsigned open_count = 0;
    bool hangs = false;
  };

  // All with mutex_ held.
  Result<Node*> Find(Ino ino);
  Result<Node*> FindDirectory(Ino ino);
  Result<Node*> FindChild(Ino parent, const std::string& name);
  Result<Node*> Make(Caller caller, Ino parent, const std::string& name, std::uint32_t mode);
  Node& NewNode(Caller caller, std::uint32_t mode);
  void AddName(Node& directory, const std::string& name, Node& child);
  void RemoveName(Node& directory, const std::string& name);
  Result<void> RemoveChild(Ino parent, const std::string& name, bool directory);
  void DropIfUnused(Node& node);
  void Resize(Node& node, std::uint64_t size);
  void Touch(Node& node);
  Entry ToEntry(const Node& node) const { return {node.attr, options_.validity}; }
  OpenedFile OpenNode(Node& node);
  void CloseHandle(Ino ino, HandleId handle);

  Clock& clock_;
  const Options options_;
  CacheInvalidator* invalidator_ = nullptr;
  mutable std::mutex mutex_;
  std::uint64_t next_ino_ = kRootIno.value();
  std::uint64_t next_cookie_ = 3;  // 1 and 2 are "." and ".."
  std::uint64_t next_handle_ = 1;
  std::unordered_map<Ino, std::unique_ptr<Node>> nodes_;
  std::unordered_map<HandleId, Ino> handles_;
};

}  // namespace gabion
