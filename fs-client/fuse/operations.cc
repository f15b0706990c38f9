#include "fs-client/fuse/operations.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "fs-client/errno_map.h"
#include "fs-client/fuse/encode.h"

// One function for each operation; they only start the call of the Vfs, and a coroutine below awaits and answers. Views
// are copied into strings here, before anything can suspend.

namespace gabion::fuse {
namespace {

Caller CallerOf(const Request& request) {
  return {request.header.uid, request.header.gid, request.header.pid};
}

int ToErrno(const Error& error) {
  return gabion::ToErrno(error.code());
}

// Coroutines that await a call of the Vfs and answer.

/// Answers with what `encode` makes of the value.
template <typename Value, typename Encode>
RequestTask Answer(Request request, Task<Result<Value>> call, Encode encode) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<Value> result = co_await std::move(call);
  if (!result) {
    request.reply.Fail(ToErrno(result.error()));
  } else {
    request.reply.Send(encode(*result));
  }
}

RequestTask AnswerDone(Request request, Task<Result<void>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<void> result = co_await std::move(call);
  if (!result) {
    request.reply.Fail(ToErrno(result.error()));
  } else {
    request.reply.Ok();
  }
}

RequestTask AnswerWritten(Request request, Task<Result<void>> call, std::uint32_t size) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<void> result = co_await std::move(call);
  if (!result) {
    request.reply.Fail(ToErrno(result.error()));
  } else {
    fuse_write_out out{};
    out.size = size;
    request.reply.Send(out);
  }
}

RequestTask AnswerFail(Request request, int error) {
  request.reply.Fail(error);
  co_return;
}

RequestTask AnswerRead(Request request, Task<Result<Payload>> call, std::uint32_t size) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<Payload> data = co_await std::move(call);
  if (!data) {
    request.reply.Fail(ToErrno(data.error()));
  } else if (data->size() > size) {
    request.reply.Fail(EIO);  // the kernel would end the connection over a reply longer than it asked for
  } else {
    request.reply.SendPayload(*data);
  }
}

RequestTask AnswerReadLink(Request request, Task<Result<std::string>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<std::string> target = co_await std::move(call);
  if (!target) {
    request.reply.Fail(ToErrno(target.error()));
  } else {
    request.reply.SendBytes(std::as_bytes(std::span(*target)));
  }
}

/// xattr calls ask with size 0 for the length first.
void ReplyXattr(Reply& reply, const std::string& value, std::uint32_t size) {
  if (size == 0) {
    fuse_getxattr_out out{};
    out.size = static_cast<std::uint32_t>(value.size());
    reply.Send(out);
  } else if (value.size() > size) {
    reply.Fail(ERANGE);
  } else {
    reply.SendBytes(std::as_bytes(std::span(value)));
  }
}

RequestTask AnswerGetXattr(Request request, Task<Result<std::string>> call, std::uint32_t size) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<std::string> value = co_await std::move(call);
  if (!value) {
    request.reply.Fail(ToErrno(value.error()));
  } else {
    ReplyXattr(request.reply, *value, size);
  }
}

RequestTask AnswerListXattr(Request request, Task<Result<std::vector<std::string>>> call, std::uint32_t size) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<std::vector<std::string>> names = co_await std::move(call);
  if (!names) {
    request.reply.Fail(ToErrno(names.error()));
  } else {
    ReplyXattr(request.reply, PackNames(*names), size);
  }
}

/// A handle that the kernel no longer wants would never be released.
RequestTask AnswerOpen(Vfs& vfs, Request request, Task<Result<OpenedFile>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<OpenedFile> file = co_await std::move(call);
  if (!file) {
    request.reply.Fail(ToErrno(file.error()));
  } else if (!request.reply.Send(ToOpenOut(*file))) {
    co_await vfs.Release(request.header.node, file->handle);
  }
}

RequestTask AnswerCreate(Vfs& vfs, Request request, Task<Result<CreatedFile>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<CreatedFile> created = co_await std::move(call);
  if (!created) {
    request.reply.Fail(ToErrno(created.error()));
  } else if (!request.reply.Send(ToCreateOut(*created))) {
    co_await vfs.Release(created->entry.attr.ino, created->file.handle);
  }
}

RequestTask AnswerOpenDir(Vfs& vfs, Request request, Task<Result<HandleId>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<HandleId> handle = co_await std::move(call);
  if (!handle) {
    request.reply.Fail(ToErrno(handle.error()));
    co_return;
  }
  OpenedFile opened;
  opened.handle = *handle;
  if (!request.reply.Send(ToOpenOut(opened))) co_await vfs.ReleaseDir(request.header.node, *handle);
}

RequestTask AnswerReadDir(Request request, Task<Result<std::vector<DirEntryPlus>>> call, std::uint32_t size,
                          bool plus) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<std::vector<DirEntryPlus>> entries = co_await std::move(call);
  if (!entries) {
    request.reply.Fail(ToErrno(entries.error()));
    co_return;
  }
  std::span<std::byte> room = request.reply.Scratch(size);
  std::size_t used = PackDirectory(*entries, plus, room);
  if (used == 0 && !entries->empty()) {
    request.reply.Fail(EINVAL);
  } else {
    request.reply.SendBytes(room.first(used));
  }
}

RequestTask AnswerSeek(Request request, Task<Result<std::uint64_t>> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<std::uint64_t> offset = co_await std::move(call);
  if (!offset) {
    bool nothing_there = offset.error().code() == ErrorCode::kNoAttribute;
    request.reply.Fail(nothing_there ? ENXIO : ToErrno(offset.error()));
    co_return;
  }
  fuse_lseek_out out{};
  out.offset = *offset;
  request.reply.Send(out);
}

/// Releases cannot fail.
RequestTask AnswerReleased(Request request, Task<void> call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(call);
  request.reply.Ok();
}

/// Waiting for a lock ends with any signal.
RequestTask AnswerLocked(Request request, Task<Result<void>> call) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<void> result = co_await std::move(call);
  if (!result) {
    request.reply.Fail(ToErrno(result.error()));
  } else {
    request.reply.Ok();
  }
}

// The operations.

RequestTask Start(Vfs& vfs, Request request, const Lookup& op) {
  auto call = vfs.Lookup(CallerOf(request), request.header.node, std::string(op.name));
  return Answer(std::move(request), std::move(call), ToEntryOut);
}

RequestTask Start(Vfs& vfs, Request request, const GetAttr& op) {
  auto call = vfs.GetAttr(CallerOf(request), request.header.node, op.handle);
  return Answer(std::move(request), std::move(call), ToAttrOut);
}

RequestTask Start(Vfs& vfs, Request request, const Statx& op) {
  auto call = vfs.GetAttr(CallerOf(request), request.header.node, op.handle);
  return Answer(std::move(request), std::move(call), ToStatxOut);
}

RequestTask Start(Vfs& vfs, Request request, const SetAttr& op) {
  AttrChange change;
  change.mode = op.mode;
  change.uid = op.uid;
  change.gid = op.gid;
  change.size = op.size;
  change.atime_ns = op.atime_ns;
  change.mtime_ns = op.mtime_ns;
  change.atime_now = op.atime_now;
  change.mtime_now = op.mtime_now;
  change.kill_suid_sgid = op.kill_suid_sgid;
  change.handle = op.handle;
  auto call = vfs.SetAttr(CallerOf(request), request.header.node, std::move(change));
  return Answer(std::move(request), std::move(call), ToAttrOut);
}

RequestTask Start(Vfs& vfs, Request request, const ReadLink&) {
  auto call = vfs.ReadLink(CallerOf(request), request.header.node);
  return AnswerReadLink(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Symlink& op) {
  auto call = vfs.Symlink(CallerOf(request), request.header.node, std::string(op.name), std::string(op.target));
  return Answer(std::move(request), std::move(call), ToEntryOut);
}

RequestTask Start(Vfs& vfs, Request request, const Mknod& op) {
  auto call = vfs.Mknod(CallerOf(request), request.header.node, std::string(op.name), op.mode, op.rdev);
  return Answer(std::move(request), std::move(call), ToEntryOut);
}

RequestTask Start(Vfs& vfs, Request request, const Mkdir& op) {
  auto call = vfs.Mkdir(CallerOf(request), request.header.node, std::string(op.name), op.mode);
  return Answer(std::move(request), std::move(call), ToEntryOut);
}

RequestTask Start(Vfs& vfs, Request request, const Unlink& op) {
  auto call = vfs.Unlink(CallerOf(request), request.header.node, std::string(op.name));
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Rmdir& op) {
  auto call = vfs.Rmdir(CallerOf(request), request.header.node, std::string(op.name));
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Rename& op) {
  auto call = vfs.Rename(CallerOf(request), request.header.node, std::string(op.name), op.new_parent,
                         std::string(op.new_name), op.flags);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Link& op) {
  auto call = vfs.Link(CallerOf(request), op.source, request.header.node, std::string(op.name));
  return Answer(std::move(request), std::move(call), ToEntryOut);
}

RequestTask Start(Vfs& vfs, Request request, const Open& op) {
  auto call = vfs.Open(CallerOf(request), request.header.node, op.flags);
  return AnswerOpen(vfs, std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Create& op) {
  auto call = vfs.Create(CallerOf(request), request.header.node, std::string(op.name), op.mode, op.flags);
  return AnswerCreate(vfs, std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const TmpFile& op) {
  auto call = vfs.TmpFile(CallerOf(request), request.header.node, op.mode, op.flags);
  return AnswerCreate(vfs, std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Read& op) {
  auto call = vfs.Read(CallerOf(request), request.header.node, op.handle, op.offset_bytes, op.size);
  return AnswerRead(std::move(request), std::move(call), op.size);
}

RequestTask Start(Vfs& vfs, Request request, const Write& op) {
  auto call = vfs.Write(CallerOf(request), request.header.node, op.handle, op.offset_bytes, op.data, op.kill_suid_sgid);
  return AnswerWritten(std::move(request), std::move(call), static_cast<std::uint32_t>(op.data.size()));
}

RequestTask Start(Vfs& vfs, Request request, const Flush& op) {
  auto call = vfs.Flush(CallerOf(request), request.header.node, op.handle, op.lock_owner);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Release& op) {
  auto call = vfs.Release(request.header.node, op.handle);
  return AnswerReleased(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Fsync& op) {
  auto call = vfs.Fsync(CallerOf(request), request.header.node, op.handle, op.data_only);
  return AnswerDone(std::move(request), std::move(call));
}

std::optional<FallocateMode> ToFallocateMode(std::uint32_t mode) {
  switch (mode) {
    case 0:
      return FallocateMode::kAllocate;
    case FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return FallocateMode::kZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kZeroRangeKeepSize;
    default:
      return std::nullopt;
  }
}

RequestTask Start(Vfs& vfs, Request request, const Fallocate& op) {
  std::optional<FallocateMode> mode = ToFallocateMode(op.mode);
  if (!mode) return AnswerFail(std::move(request), EOPNOTSUPP);
  auto call = vfs.Fallocate(CallerOf(request), request.header.node, op.handle, *mode, op.offset_bytes, op.length_bytes);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Seek& op) {
  if (op.whence != SEEK_DATA && op.whence != SEEK_HOLE) return AnswerFail(std::move(request), EINVAL);
  SeekWhence whence = op.whence == SEEK_DATA ? SeekWhence::kData : SeekWhence::kHole;
  auto call = vfs.Seek(CallerOf(request), request.header.node, op.handle, op.offset_bytes, whence);
  return AnswerSeek(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const OpenDir&) {
  auto call = vfs.OpenDir(CallerOf(request), request.header.node);
  return AnswerOpenDir(vfs, std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const ReadDir& op) {
  auto call = vfs.ReadDir(CallerOf(request), request.header.node, op.handle, op.offset, op.size, op.plus);
  return AnswerReadDir(std::move(request), std::move(call), op.size, op.plus);
}

RequestTask Start(Vfs& vfs, Request request, const ReleaseDir& op) {
  auto call = vfs.ReleaseDir(request.header.node, op.handle);
  return AnswerReleased(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const FsyncDir&) {
  auto call = vfs.FsyncDir(CallerOf(request), request.header.node);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const SetXattr& op) {
  auto call =
      vfs.SetXattr(CallerOf(request), request.header.node, std::string(op.name), std::string(op.value), op.flags);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const GetXattr& op) {
  auto call = vfs.GetXattr(CallerOf(request), request.header.node, std::string(op.name));
  return AnswerGetXattr(std::move(request), std::move(call), op.size);
}

RequestTask Start(Vfs& vfs, Request request, const ListXattr& op) {
  auto call = vfs.ListXattr(CallerOf(request), request.header.node);
  return AnswerListXattr(std::move(request), std::move(call), op.size);
}

RequestTask Start(Vfs& vfs, Request request, const RemoveXattr& op) {
  auto call = vfs.RemoveXattr(CallerOf(request), request.header.node, std::string(op.name));
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const StatVolume&) {
  auto call = vfs.StatVolume();
  return Answer(std::move(request), std::move(call), ToStatfsOut);
}

RequestTask Start(Vfs& vfs, Request request, const SetLock& op) {
  auto call = vfs.SetLock(CallerOf(request), request.header.node, op.handle, op.lock, op.wait);
  if (op.wait) return AnswerLocked(std::move(request), std::move(call));
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const Unlock& op) {
  auto call = vfs.Unlock(CallerOf(request), request.header.node, op.handle, op.range);
  return AnswerDone(std::move(request), std::move(call));
}

RequestTask Start(Vfs& vfs, Request request, const TestLock& op) {
  auto call = vfs.TestLock(CallerOf(request), request.header.node, op.lock);
  return Answer(std::move(request), std::move(call), ToLockOut);
}

/// What the dispatcher answers by itself.
template <typename Op>
RequestTask Start(Vfs&, Request request, const Op&) {
  return AnswerFail(std::move(request), ENOSYS);
}

}  // namespace

RequestTask Serve(Vfs& vfs, Request request, const Operation& operation) {
  return std::visit([&](const auto& op) { return Start(vfs, std::move(request), op); }, operation);
}

}  // namespace gabion::fuse
