#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/coro/task_group.h"
#include "fs-client/io/chunk_calls.h"
#include "fs-client/io/chunk_places.h"
#include "fs-client/io/exclusive.h"
#include "fs-client/io/kernel_caches.h"
#include "fs-client/io/reader.h"
#include "fs-client/io/write_back.h"
#include "fs-client/lease/leases.h"
#include "fs-client/lock/file_locks.h"
#include "fs-client/session/meta_call.h"
#include "fs-client/vfs/handle_naming.h"
#include "fs-client/vfs/open_directory.h"
#include "fs-client/vfs/open_files.h"
#include "fs-client/vfs/release_queue.h"
#include "fs-client/vfs/root_map.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// The Vfs of a volume: namespace calls go to the metaserver one by one, file content through Reader and WriteBack.
/// Attributes are answered, and the kernel may cache, under leases only, so every call sees what other clients have
/// done.
///
/// Each group of operations has a file of its own: names.cc, open.cc, attr.cc, transfer.cc, allocate.cc, seek.cc,
/// locks.cc, directory.cc, xattr.cc; what they share is in volume_vfs.cc. Inode numbers are the kernel's in the
/// interface, the metaserver's inside.
class VolumeVfs final : public Vfs {
 public:
  struct Parts {
    std::vector<ClientLoop*> loops;
    MetaSession& session;
    MetaCalls& meta;
    Leases& leases;
    FileLocks& locks;
    ChunkCalls& chunks;
    ChunkPlaces& places;
    Reader& reader;
    WriteBack& write_back;
    OpenFiles& files;
    HandleNaming& naming;
    ReleaseQueue& releases;
    KernelCaches& kernel;
    const RootMap& root;
    TaskGroup& tasks;
  };

  /// What `parts` refers to outlives it.
  explicit VolumeVfs(Parts parts) : parts_(std::move(parts)) {}

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
  Task<void> Release(Ino ino, HandleId handle) override;
  Task<Result<void>> Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) override;
  Task<Result<void>> Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Task<Result<std::uint64_t>> Seek(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                   SeekWhence whence) override;

  Task<Result<void>> SetLock(Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait) override;
  Task<Result<void>> Unlock(Caller caller, Ino ino, HandleId handle, RangeLock range) override;
  Task<Result<std::optional<RangeLock>>> TestLock(Caller caller, Ino ino, RangeLock lock) override;

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
  // volume_vfs.cc

  /// The client's part of the event loop that runs the caller.
  ClientLoop* LoopOf(const Executor& executor) const;
  Ino ToServer(Ino kernel) const { return parts_.root.ToServer(kernel); }
  /// Errors: kStale; kIo (a lock was lost).
  Result<OpenHandlePtr> FindHandle(HandleId handle) const;

  /// The attributes as this mount has them: with what is being written here. Pages that somebody else made stale the
  /// kernel has dropped before this answer, or drops with it if the size has changed (docs/fuse.md). Errors:
  /// kCancelled.
  Task<Result<FileAttr>> Present(proto::Attr attr);
  /// The same for the answer to a change, with which the kernel does not look at its pages: it will ask again.
  FileAttr Show(const proto::Attr& attr);
  /// Takes note of attributes that the kernel is not shown.
  void Note(const proto::Attr& attr);
  /// As Present, if that needs no waiting.
  std::optional<FileAttr> TryPresent(const proto::Attr& attr);
  Task<Result<Entry>> PresentEntry(proto::Attr attr);
  /// The attributes from an answer with that number, and for how long the kernel may use them.
  Task<Result<Attributes>> PresentAttributes(ClientLoop* loop, proto::Attr attr, std::uint64_t number);
  /// Its size and times are from here, until they are the metaserver's.
  bool IsBeingWritten(Ino ino) const;
  /// For how long the kernel may use an entry, and the attributes from the answer with that number beside it.
  Validity ValidityOf(ClientLoop* loop, Ino directory, const std::string& name, Ino ino, std::uint64_t number,
                      LeaseCache::Beside beside = LeaseCache::Beside::kLookup);
  /// Until it is done, or nobody wants it any more. Errors: kCancelled.
  Task<Result<void>> DropStalePages(OpenInodePtr inode);
  Task<void> DropUnleasedPages(OpenInodePtr inode);
  /// Whether programs read the file through the kernel's page cache.
  bool IsOpenForPages(Ino ino) const;
  /// Takes note of a reply's attributes, when it is clear whose change they show. `attr` is the awaiting caller's.
  /// Errors: kCancelled.
  Task<Result<OpenInode::Verdict>> Observe(OpenInodePtr inode, const proto::Attr& attr);
  /// Looks at the open file's attributes, as LoadAttr does, for calls that the kernel makes without asking itself.
  /// Nothing is done about the kernel's pages: of those one may be locked for this very call.
  Task<Result<void>> LookAgain(ClientLoop* loop, Caller caller, OpenInodePtr inode);

  /// Sends a request that changes the content of `ino`, alone among those of this client; makes a pending cut first if
  /// the metaserver asks for it. `cut_bytes`: the size that the request sets. The file is in exclusive use and flushed.
  template <typename Reply, typename Request>
  Task<Result<Reply>> ChangeContent(ClientLoop* loop, Caller caller, proto::Method method, Request request, Ino ino,
                                    OpenInodePtr inode, std::optional<std::uint64_t> cut_bytes);
  /// Makes the cut that the reply tells of, in the background.
  void FinishTrimSoon(ClientLoop* loop, const OpenInodePtr& inode, const proto::Attr& attr);
  Task<void> FinishTrim(ClientLoop* loop, OpenInodePtr inode, Ino ino, proto::TrimMark mark);

  // names.cc

  Result<Entry> AbsentEntry(ClientLoop* loop, Ino parent, const std::string& name);
  /// What a lookup answers if both the entry and the attributes of what it leads to are known under leases.
  std::optional<Result<Entry>> FindKnownEntry(ClientLoop* loop, Ino parent, const std::string& name);

  /// Sends a request that may take the last name of what `name` leads to: what is open here of that, the metaserver
  /// knows before. Errors: those of Mutate.
  template <typename Reply, typename Request>
  Task<Result<Reply>> Remove(ClientLoop* loop, Caller caller, proto::Method method, Request request, Ino parent,
                             std::string name);
  /// `open_there`: the handles under which the metaserver knows it to be open here.
  void DiscardRemoved(ClientLoop* loop, Ino ino, const google::protobuf::RepeatedField<std::uint64_t>& open_there);

  Task<void> FlushMoved(ClientLoop* loop, Caller caller, Ino parent, std::string name, Ino new_parent,
                        std::string new_name, bool exchange);
  Task<void> FlushNamed(ClientLoop* loop, Caller caller, Ino parent, std::string name);

  /// Sends a Create with numbers of the present session. Errors of Create.
  Task<Result<proto::CreateReply>> Make(ClientLoop* loop, Caller caller, proto::CreateRequest request);
  Task<Result<Entry>> MakeEntry(ClientLoop* loop, Caller caller, proto::CreateRequest request);

  // open.cc

  /// Under a lease, without the metaserver; none if that may not be.
  Task<std::optional<OpenedFile>> OpenHere(ClientLoop* loop, Caller caller, Ino ino, std::uint32_t flags);
  Task<Result<CreatedFile>> MakeOpen(ClientLoop* loop, Caller caller, proto::CreateRequest request,
                                     std::uint32_t flags);
  Task<Result<proto::OpenReply>> SendOpen(ClientLoop* loop, Caller caller, proto::OpenRequest request);
  Task<Result<proto::OpenReply>> OpenTruncated(ClientLoop* loop, Caller caller, proto::OpenRequest request);
  /// What it refers to is the awaiting caller's.
  Task<OpenedFile> FinishOpen(ClientLoop* loop, HandleId handle, const proto::LeaseNote& note, const proto::Attr& attr,
                              std::uint32_t flags, bool fresh);

  // attr.cc

  /// From what leases cover, or the metaserver.
  Task<Result<LeaseCache::Known>> LoadAttr(ClientLoop* loop, Caller caller, Ino ino);
  Result<LeaseCache::Known> FindRemovedDirectory(Ino ino, const Error& otherwise) const;
  Task<Result<proto::SetAttrReply>> Resize(ClientLoop* loop, Caller caller, proto::SetAttrRequest request);

  // transfer.cc

  Task<Result<void>> StillWanted();
  Task<Result<void>> KillPrivileges(ClientLoop* loop, OpenInodePtr inode);
  Task<Result<void>> AcquireWrite(ClientLoop* loop, Caller caller, OpenInodePtr inode);
  /// Returns when there is a write lease; it lasts as long as the exclusive use of the file that the caller has.
  Task<Result<void>> AcquireExclusive(ClientLoop* loop, Caller caller, OpenInodePtr inode);
  Task<Result<void>> FinishWrite(ClientLoop* loop, OpenHandlePtr handle);

  // locks.cc

  Task<void> FlushIfDirty(ClientLoop* loop, OpenInodePtr inode);

  // allocate.cc

  Task<Result<void>> Allocate(ClientLoop* loop, Caller caller, OpenInodePtr inode, FallocateMode mode,
                              std::uint64_t offset, std::uint64_t length);
  Task<Result<void>> ZeroRange(ClientLoop* loop, SessionStatePtr session, OpenInodePtr inode, std::uint64_t begin,
                               std::uint64_t end);

  // xattr.cc

  /// By the attributes that a lease covers: `ls -l` asks for each file's security label, which hardly any has.
  bool IsKnownToHaveNoXattrs(ClientLoop* loop, Ino ino);

  // directory.cc

  Task<Result<void>> LoadEntries(ClientLoop* loop, std::uint32_t pid, OpenDirectoryPtr directory, std::uint64_t entry,
                                 std::uint32_t max_entries, bool with_attr);
  Task<Result<std::vector<DirEntryPlus>>> ListDots(ClientLoop* loop, OpenDirectoryPtr directory, std::uint64_t offset);
  DirEntryPlus ToDirEntry(const proto::DirEntry& found, std::uint64_t next_offset);
  std::optional<Entry> EntryOf(ClientLoop* loop, Ino directory, const proto::DirEntry& found, bool just_loaded);

  const Parts parts_;
  OpenDirectories directories_;
};

/// Errors: kInvalidArgument (empty, '/' in it, "." or ".."), kNameTooLong.
Result<void> CheckEntryName(const std::string& name);

template <typename Reply, typename Request>
Task<Result<Reply>> VolumeVfs::ChangeContent(ClientLoop* loop, Caller caller, proto::Method method, Request request,
                                             Ino ino, OpenInodePtr inode, std::optional<std::uint64_t> cut_bytes) {
  AsyncMutex::Guard guard;
  if (inode != nullptr) guard = co_await inode->changing.Lock();
  for (;;) {
    std::uint64_t base = 0;
    if (inode != nullptr) {
      std::lock_guard lock(inode->mutex);
      base = inode->BeginOwnChange();
    }
    Request copy = request;  // every try is an op of its own, for the metaserver remembers that it said no
    Result<Reply> reply = co_await parts_.meta.template Mutate<Reply>(loop, caller, method, std::move(copy));
    if (inode != nullptr) {
      std::lock_guard lock(inode->mutex);
      inode->EndOwnChange(base, reply ? &reply->attr() : nullptr);
      if (reply && cut_bytes) inode->CutTo(*cut_bytes);
    }
    if (reply || reply.error().code() != ErrorCode::kBusy) co_return reply;
    CO_TRY(co_await parts_.places.FinishForeignTrim(loop, ino, inode));
  }
}

}  // namespace gabion
