#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// fallocate(2). Space is not reserved: it is checked that there is enough at present.

namespace gabion {
namespace {

bool Zeroes(FallocateMode mode) {
  return mode == FallocateMode::kPunchHole || mode == FallocateMode::kZeroRange ||
         mode == FallocateMode::kZeroRangeKeepSize;
}

bool Grows(FallocateMode mode) {
  return mode == FallocateMode::kAllocate || mode == FallocateMode::kZeroRange;
}

}  // namespace

Task<Result<void>> VolumeVfs::Fallocate(Caller caller, Ino, HandleId id, FallocateMode mode, std::uint64_t offset,
                                        std::uint64_t length) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> handle = FindHandle(id);
  if (!handle) co_return handle.error();
  OpenInodePtr inode = (*handle)->inode;
  if (length == 0) co_return Error(ErrorCode::kInvalidArgument, "nothing to allocate");
  if (offset > kMaxFileBytes || length > kMaxFileBytes - offset) {
    co_return Error(ErrorCode::kTooLarge, fmt::format("{} bytes at {}", length, offset));
  }
  if (!Zeroes(mode)) {
    Result<StatFs> volume = co_await StatVolume();
    if (!volume) co_return volume.error();
    if (length > volume->free_bytes) co_return Error(ErrorCode::kNoSpace, fmt::format("{} bytes are not free", length));
  }

  ExclusiveUse exclusive = co_await ExclusiveUse::Of(inode);
  for (;;) {
    // Zeroes go to the chunkservers at once: nobody else may be writing there.
    if (Zeroes(mode)) CO_TRY(co_await AcquireExclusive(loop, caller, inode));
    Result<void> allocated = co_await Allocate(loop, caller, inode, mode, offset, length);
    const bool is_again = !allocated && (allocated.error().code() == ErrorCode::kLeaseLost ||
                                         allocated.error().code() == ErrorCode::kResumed);
    if (!is_again) co_return allocated;
    CO_TRY(co_await StillWanted());
  }
}

/// In exclusive use of the file. Errors: kLeaseLost, kResumed (it has to be done again), and others.
Task<Result<void>> VolumeVfs::Allocate(ClientLoop* loop, Caller caller, OpenInodePtr inode, FallocateMode mode,
                                       std::uint64_t offset, std::uint64_t length) {
  const SessionStatePtr session = parts_.session.state();  // that has the lease, if it has to
  co_await parts_.write_back.FlushAll(loop, inode);
  CO_TRY(co_await LookAgain(loop, caller, inode));
  std::uint64_t size = 0;
  std::int64_t mtime_ns = loop->env().clock.WallNowNs();
  {
    std::lock_guard lock(inode->mutex);
    size = inode->known.size;
  }
  std::uint64_t end = offset + length;
  if (Zeroes(mode)) CO_TRY(co_await ZeroRange(loop, session, inode, offset, std::min(end, size)));
  bool grows = Grows(mode) && end > size;
  if (!grows && !Zeroes(mode)) co_return Result<void>();

  proto::CommitWriteRequest request;
  request.set_ino(inode->ino().value());
  request.set_end_bytes(grows ? end : 0);
  request.set_keep_size(!grows);
  request.set_mtime_ns(mtime_ns);
  if (Zeroes(mode)) session->NameLease(request);
  if (mode == FallocateMode::kAllocate) request.set_added_bytes(end - std::max(offset, size));
  auto reply = co_await ChangeContent<proto::CommitWriteReply>(loop, caller, proto::METHOD_COMMIT_WRITE,
                                                               std::move(request), inode->ino(), inode, std::nullopt);
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<Result<void>> VolumeVfs::ZeroRange(ClientLoop* loop, SessionStatePtr session, OpenInodePtr inode,
                                        std::uint64_t begin, std::uint64_t end) {
  // A lease that the session gets after it was resumed is another.
  const ChunkCalls::SendLimit may_send_until = [this, loop, session, ino = inode->ino()] {
    const LeaseCache& leases = parts_.leases.cache();
    const bool may_send = leases.MayFlush(ino, loop->Now()) && parts_.session.state() == session;
    return may_send ? leases.writes_until() : TimePoint{INT64_MIN};
  };
  while (begin < end) {
    std::uint64_t index = begin / kChunkBytes;
    std::uint64_t stop = std::min(end, (index + 1) * kChunkBytes);
    Result<ChunkPlace> place = co_await parts_.places.ForReading(loop, inode, index, true);
    if (!place) co_return place.error();
    if (!place->hole()) {
      Result<Epoch> epoch = co_await parts_.chunks.Zero(loop, *place, static_cast<std::uint32_t>(begin % kChunkBytes),
                                                        static_cast<std::uint32_t>(stop - begin), may_send_until);
      if (!epoch) co_return epoch.error();
      std::lock_guard lock(inode->mutex);
      inode->NoteUnsynced(index, *place, *epoch);
      inode->DropReadAhead(begin, stop);
    }
    begin = stop;
  }
  co_return Result<void>();
}

}  // namespace gabion
