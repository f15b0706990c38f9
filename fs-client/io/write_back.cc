#include "fs-client/io/write_back.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "fs-client/session/interruption.h"
#include "proto/limits.h"

namespace gabion {
namespace {

// Another client that goes on changing the file while we commit makes the commit repeat; not for ever, for by then the
// two write the same file without agreeing on anything.
constexpr unsigned kMaxCommitTries = 4;

// Before what a chunkserver has refused is sent again.
constexpr Duration kRefusedPause = std::chrono::milliseconds(20);

Error LostError() {
  return Error(ErrorCode::kIo, "what was written is lost, with the lease that it was written under");
}

// So long after a write found no room.
constexpr Duration kSpaceDoubt = std::chrono::minutes(1);
// How often each client's memory has to fit into what is free.
constexpr std::uint64_t kSpareMemories = 4;

/// Tells which chunks the frames went to, as far as that is known: only a check of the cluster asks for it.
void AddWritten(const OpenInode& inode, const std::vector<WriteFramePtr>& frames, proto::CommitWriteRequest& request) {
  std::set<std::uint64_t> indices;
  for (const WriteFramePtr& frame : frames) indices.insert(frame->offset_bytes / kChunkBytes);
  for (std::uint64_t index : indices) {
    auto chunk = inode.unsynced.find(index);
    if (chunk == inode.unsynced.end()) continue;
    if (request.written_size() == kMaxWrittenChunks) break;
    proto::WrittenChunk* written = request.add_written();
    written->set_index(index);
    written->set_chunk_id(chunk->second.place.chunk.value());
  }
}

proto::CommitWriteRequest MakeCommit(const OpenInode& inode, const std::vector<WriteFramePtr>& frames,
                                     const SessionState& session) {
  proto::CommitWriteRequest request;
  session.NameLease(request);
  request.set_ino(inode.ino().value());
  request.set_mtime_ns(inode.write_time_ns);
  std::uint64_t end = 0;
  std::uint64_t added = 0;
  for (const WriteFramePtr& frame : frames) {
    end = std::max(end, frame->end_bytes());
    added += RoundUp(frame->end_bytes(), kBlockBytes) - RoundDown(frame->offset_bytes, kBlockBytes);
  }
  request.set_end_bytes(end);
  request.set_added_bytes(added);
  AddWritten(inode, frames, request);
  return request;
}

}  // namespace

WriteBack::WriteBack(const Parts& parts)
    : parts_(parts),
      flushes_(parts.tasks, [this](ClientLoop* loop, OpenInodePtr inode) { return FlushAll(loop, std::move(inode)); }) {
}

WriteBack::Verdict WriteBack::TryWrite(ClientLoop* loop, const OpenInodePtr& inode, std::uint64_t offset,
                                       std::span<const std::byte> bytes, Manner manner) {
  if (parts_.memory.full()) return Verdict::kWait;
  bool worth_sending = false;
  {
    std::lock_guard lock(inode->mutex);
    if (inode->exclusive || inode->MustSettle() || inode->dirty.total_bytes() >= kMaxDirtyPerFile) {
      return Verdict::kWait;
    }
    // Under the inode's mutex: what is taken in before the lease is given up is seen by who flushes it then.
    const LeaseCache& leases = parts_.leases.cache();
    const bool may_write =
        leases.MayWrite(inode->ino(), loop->Now()) || (manner.by_kernel && leases.MayFlush(inode->ino(), loop->Now()));
    if (!may_write && !Mutated("lease.write_without")) return Verdict::kNeedLease;
    if (manner.kill_privileges && inode->MayHavePrivileges()) return Verdict::kNeedKill;
    if (manner.append) offset = inode->Size();
    parts_.memory.TakeForWriting(inode->dirty.Write(offset, bytes));
    inode->write_time_ns = loop->env().clock.WallNowNs();
    inode->home = loop;
    inode->DropReadAhead(offset, offset + bytes.size());
    inode->NotePages();
    inode->told_size = std::max(inode->told_size, offset + bytes.size());
    dirty_list_.Update(inode, loop->Now());
    worth_sending = inode->dirty.gathering_bytes() >= DirtyData::kStreamBytes;
  }
  if (worth_sending) Stream(loop, inode);
  return Verdict::kTaken;
}

Task<void> WriteBack::AwaitRoom(ClientLoop* loop, OpenInodePtr inode) {
  std::shared_ptr<AsyncEvent> room = parts_.memory.WaitForRoom();
  if (room != nullptr) {
    FlushAllInBackground();
    (void)co_await WaitUnlessInterrupted(std::move(room));
    co_return;
  }
  bool too_much = false;
  bool must_settle = false;
  {
    std::lock_guard lock(inode->mutex);
    must_settle = inode->MustSettle();
    too_much = inode->dirty.total_bytes() >= kMaxDirtyPerFile;
    if (too_much || must_settle || inode->exclusive) room = inode->changed.Add();
  }
  if (too_much) Stream(loop, inode);
  if (must_settle) flushes_.Add(inode);
  if (room != nullptr) (void)co_await WaitUnlessInterrupted(std::move(room));
}

void WriteBack::Stream(ClientLoop* loop, const OpenInodePtr& inode) {
  if (parts_.tasks.closed()) return;
  std::vector<WriteFramePtr> frames;
  bool commit = false;
  {
    std::lock_guard lock(inode->mutex);
    while (WriteFramePtr frame = inode->dirty.TakeForStreaming()) frames.push_back(std::move(frame));
    const bool is_much = inode->dirty.landed_bytes() >= kMaxLandedBytes || loop->env().Buggified("client.commit_early");
    commit = is_much && !inode->own_change;
  }
  for (WriteFramePtr& frame : frames) {
    parts_.tasks.Spawn(loop->env().executor, SendAndStream(loop, inode, std::move(frame)));
  }
  if (commit) parts_.tasks.Spawn(loop->env().executor, Commit(loop, inode));
}

Task<void> WriteBack::SendAndStream(ClientLoop* loop, OpenInodePtr inode, WriteFramePtr frame) {
  co_await Send(loop, inode, std::move(frame), Durability::kApplied);
  Stream(loop, inode);
}

Task<void> WriteBack::Send(ClientLoop* loop, OpenInodePtr inode, WriteFramePtr frame, Durability durability) {
  Payload payload = frame->payload;
  std::uint64_t sent_since = 0;
  {
    std::lock_guard lock(inode->mutex);
    sent_since = inode->foreign_changes;
  }
  Result<Stored> stored = co_await Store(loop, inode, frame->offset_bytes, std::move(payload), durability);
  WaitList::Waiters woken;
  {
    std::lock_guard lock(inode->mutex);
    if (stored) {
      inode->dirty.Landed(frame);
      inode->landed_since = std::min(inode->landed_since, sent_since);
      // What was read ahead while it was on its way may be from before it.
      inode->DropReadAhead(frame->offset_bytes, frame->end_bytes());
      if (durability == Durability::kApplied) inode->NoteUnsynced(stored->index, stored->place, stored->epoch);
    } else {
      parts_.memory.GiveWritten(inode->dirty.Dropped(frame));
      inode->removed |= inode->handles.empty() && stored.error().code() == ErrorCode::kStale;
      if (!inode->removed) inode->errors.Add(stored.error());
      inode->NoteLessDirty();
      dirty_list_.Update(inode, loop->Now());
    }
    woken = inode->changed.TakeAll();
  }
  WaitList::Wake(woken);
  if (!stored) NoteFailure(loop, stored.error().code());
  if (!stored) RetireIfClean(inode);
  if (!stored && stored.error().code() != ErrorCode::kCancelled) {
    LogError("inode {}: bytes {} to {} could not be written: {}", inode->ino().value(), frame->offset_bytes,
             frame->end_bytes(), stored.error().ToString());
    // The kernel still shows them.
    parts_.tasks.Spawn(loop->env().executor, DropKernelPages(inode->ino()));
  }
}

Task<void> WriteBack::DropKernelPages(Ino ino) {
  (void)co_await parts_.kernel.DropData(ino);
}

Task<Result<WriteBack::Stored>> WriteBack::Store(ClientLoop* loop, OpenInodePtr inode, std::uint64_t offset,
                                                 Payload payload, Durability durability) {
  Stored stored;
  stored.index = offset / kChunkBytes;
  auto in_chunk = static_cast<std::uint32_t>(offset % kChunkBytes);
  CO_TRY_ASSIGN(stored.place, co_await parts_.places.ForWriting(loop, inode, stored.index));
  // Slices meet at block boundaries, so each is cut into blocks by itself. Once per byte, retries included.
  std::vector<BlockChecksum> checksums;
  std::uint64_t at = in_chunk;
  for (const Slice& slice : payload.slices()) {
    std::vector<BlockChecksum> pieces = PieceChecksums(at, slice.span());
    checksums.insert(checksums.end(), pieces.begin(), pieces.end());
    at += slice.size();
  }
  // A lease that the session has got since is not the one that this was written under.
  const ChunkCalls::SendLimit may_send_until = [this, loop, inode] {
    const LeaseCache& leases = parts_.leases.cache();
    std::lock_guard lock(inode->mutex);
    if (inode->lost || !leases.MayFlush(inode->ino(), loop->Now())) return TimePoint{INT64_MIN};
    return Mutated("lease.flush_lapsed") ? TimePoint{INT64_MAX} : leases.writes_until();
  };
  const Patience patience = parts_.session.NewPatience(loop);
  for (;;) {
    CO_TRY(co_await AwaitLease(loop, inode, patience));
    Payload copy = payload;  // slices; the bytes are shared
    std::vector<BlockChecksum> their_checksums = checksums;
    Result<Epoch> written =
        co_await parts_.chunks.Write(loop, stored.place, in_chunk, std::move(copy), std::move(their_checksums),
                                     durability == Durability::kDurable, may_send_until);
    if (!written && written.error().code() == ErrorCode::kLeaseLost) {  // for the moment, or for good
      co_await loop->env().clock.SleepFor(kRefusedPause);
      continue;
    }
    CO_TRY_ASSIGN(stored.epoch, std::move(written));
    co_return stored;
  }
}

/// While the session may have lapsed nothing that was written under a lease is sent: others may have got it. It goes on
/// when the metaserver says that they have not. Errors: kIo (they have, or given up), kCancelled (the mount is being
/// stopped).
Task<Result<void>> WriteBack::AwaitLease(ClientLoop* loop, OpenInodePtr inode, Patience patience) {
  constexpr Duration kLook = std::chrono::milliseconds(20);
  for (;;) {
    {
      std::lock_guard lock(inode->mutex);
      if (inode->lost) co_return LostError();
    }
    if (parts_.leases.cache().MayFlush(inode->ino(), loop->Now())) co_return Result<void>();
    if (parts_.session.stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    if (patience.IsOver(loop->Now())) {
      const Error last(ErrorCode::kUnavailable, "the metaserver does not answer");
      co_return patience.GaveUp(last);
    }
    co_await loop->env().clock.SleepFor(kLook);
  }
}

Task<void> WriteBack::Flush(ClientLoop* loop, OpenInodePtr inode, std::uint64_t up_to_write) {
  return FlushWith(loop, std::move(inode), up_to_write, Durability::kApplied);
}

Task<void> WriteBack::FlushAll(ClientLoop* loop, OpenInodePtr inode) {
  std::uint64_t newest = 0;
  {
    std::lock_guard lock(inode->mutex);
    newest = inode->dirty.last_write();
  }
  return FlushWith(loop, std::move(inode), newest, Durability::kApplied);
}

Task<void> WriteBack::FlushWith(ClientLoop* loop, OpenInodePtr inode, std::uint64_t up_to_write,
                                Durability durability) {
  for (;;) {
    std::vector<WriteFramePtr> frames;
    std::shared_ptr<AsyncEvent> progress;
    {
      std::lock_guard lock(inode->mutex);
      DirtyData& dirty = inode->dirty;
      while (WriteFramePtr frame = dirty.TakeUpTo(up_to_write)) frames.push_back(std::move(frame));
      if (frames.empty()) {
        if (dirty.HasSending(up_to_write) || dirty.HasGathering(up_to_write)) {
          progress = inode->changed.Add();
        } else if (!dirty.HasUncommitted(up_to_write)) {
          co_return;
        }
      } else if (frames.size() > 1 || dirty.sending_count() > 1 || dirty.HasGathering(up_to_write) ||
                 !inode->unsynced.empty()) {
        durability = Durability::kApplied;  // SyncChunks will cover all at once
      }
    }
    if (!frames.empty()) {
      bool stopped = parts_.tasks.closed();
      for (std::size_t i = 1; i < frames.size(); ++i) {
        if (stopped) {
          co_await Send(loop, inode, frames[i], Durability::kApplied);
          continue;
        }
        parts_.tasks.Spawn(loop->env().executor, Send(loop, inode, frames[i], Durability::kApplied));
      }
      co_await Send(loop, inode, frames.front(), durability);
    } else if (progress != nullptr) {
      co_await progress->Wait();
    } else {
      co_await Commit(loop, inode);
    }
  }
}

Task<void> WriteBack::Commit(ClientLoop* loop, OpenInodePtr inode) {
  AsyncMutex::Guard guard = co_await inode->changing.Lock();
  {
    std::lock_guard lock(inode->mutex);
    if (!inode->dirty.HasLanded()) co_return;
    inode->dirty.BeginCommit();
    inode->committing_since = std::exchange(inode->landed_since, UINT64_MAX);
  }
  Result<void> committed = co_await CommitLanded(loop, inode);
  bool is_news = false;
  WaitList::Waiters woken;
  {
    std::lock_guard lock(inode->mutex);
    parts_.memory.GiveWritten(inode->dirty.EndCommit());
    inode->committed = inode->lost_unless_committed = false;
    // Of a file that was removed elsewhere nobody will see anything.
    if (inode->downgrade) parts_.leases.cache().Returned(inode->ino(), *std::exchange(inode->downgrade, std::nullopt));
    inode->removed |= inode->handles.empty() && !committed && committed.error().code() == ErrorCode::kStale;
    is_news = !committed && !inode->removed && committed.error().code() != ErrorCode::kCancelled;
    if (!committed && !inode->removed) inode->errors.Add(committed.error());
    inode->NoteLessDirty();
    dirty_list_.Update(inode, loop->Now());
    if (inode->listed) inode->dirty_since = loop->Now();
    woken = inode->changed.TakeAll();
  }
  WaitList::Wake(woken);
  if (!committed) NoteFailure(loop, committed.error().code());
  RetireIfClean(inode);
  if (is_news) {
    LogError("inode {}: its new size could not be committed: {}", inode->ino().value(), committed.error().ToString());
  }
}

/// One CommitWrite, as a rule. When another client turns out to have changed the file since, it may have cut away what
/// has landed, so that is stored once more.
Task<Result<void>> WriteBack::CommitLanded(ClientLoop* loop, OpenInodePtr inode) {
  for (unsigned tries = 1;; ++tries) {
    // Before it is known that nothing is lost: what this names is then what the data was written under.
    const SessionStatePtr session = parts_.session.state();
    proto::CommitWriteRequest request;
    std::uint64_t base = 0;
    bool outdated = false;
    {
      std::lock_guard lock(inode->mutex);
      if (inode->lost) co_return LostError();
      outdated = inode->committing_since < inode->foreign_changes;
      if (!outdated) {
        request = MakeCommit(*inode, inode->dirty.committing(), *session);
        base = inode->BeginOwnChange();
        // Others who look at what is closed and done need not wait.
        const bool is_last = (inode->handles.empty() && !inode->dirty.HasMore()) || Mutated("lease.downgrade_early");
        if (is_last && !inode->downgrade) inode->downgrade = parts_.leases.cache().Downgrade(request);
      }
    }
    if (outdated) {
      CO_TRY(co_await StoreAgain(loop, inode));
      continue;
    }
    const bool downgrades = request.downgrade() != 0;
    auto reply = co_await parts_.meta.Mutate<proto::CommitWriteReply>(loop, kOwnWork, proto::METHOD_COMMIT_WRITE,
                                                                      std::move(request));
    bool is_done = false;
    bool was_resumed = false;
    {
      std::lock_guard lock(inode->mutex);
      const bool alone = inode->EndOwnChange(base, reply ? &reply->attr() : nullptr);
      was_resumed = !reply && reply.error().code() == ErrorCode::kResumed && !inode->lost_unless_committed;
      // What came after a commit that gave the lease back was written under a later one.
      const bool is_partly_lost = reply && inode->lost_unless_committed && inode->dirty.HasMore();
      const bool is_refused = !reply && reply.error().code() == ErrorCode::kLeaseLost;
      const bool is_all_lost = is_refused || (!reply && inode->lost_unless_committed);
      if (is_partly_lost || is_all_lost) inode->LoseDirty();
      if (inode->lost && !is_partly_lost) co_return LostError();
      is_done = reply && (alone || downgrades || inode->lost_unless_committed || tries >= kMaxCommitTries);
      inode->committed = is_done;
    }
    if (reply) parts_.leases.cache().Learn(reply->note(), reply->attr(), loop->Now());
    if (was_resumed) {
      CO_TRY(co_await AwaitResumed(loop, inode, session));
      continue;
    }
    bool cut_pending = !reply && reply.error().code() == ErrorCode::kBusy;
    if (!reply && !cut_pending) co_return reply.error();
    if (is_done) co_return Result<void>();
    if (cut_pending) CO_TRY(co_await parts_.places.FinishForeignTrim(loop, inode->ino(), inode));
    CO_TRY(co_await StoreAgain(loop, inode));
  }
}

/// The metaserver has resumed the session since: when that is known here, it is known what it still has. A lease that
/// was to be given back it has again. Errors: as AwaitLease.
Task<Result<void>> WriteBack::AwaitResumed(ClientLoop* loop, OpenInodePtr inode, SessionStatePtr before) {
  constexpr Duration kLook = std::chrono::milliseconds(5);
  const Patience patience = parts_.session.NewPatience(loop);
  while (parts_.session.state() == before) {
    if (parts_.session.stopping()) co_return Error(ErrorCode::kCancelled, "the mount is being stopped");
    if (patience.IsOver(loop->Now())) {
      const Error last(ErrorCode::kUnavailable, "the metaserver does not answer");
      co_return patience.GaveUp(last);
    }
    co_await loop->env().clock.SleepFor(kLook);
  }
  std::lock_guard lock(inode->mutex);
  if (inode->downgrade) parts_.leases.cache().Returned(inode->ino(), *std::exchange(inode->downgrade, std::nullopt));
  co_return Result<void>();
}

Task<Result<void>> WriteBack::StoreAgain(ClientLoop* loop, OpenInodePtr inode) {
  std::vector<PlacedSlice> parts;
  {
    std::lock_guard lock(inode->mutex);
    parts = inode->dirty.TakeBackCommitting();
    inode->committing_since = inode->foreign_changes;
  }
  for (PlacedSlice& part : parts) {
    Payload payload(std::move(part.slice));
    Result<Stored> stored = co_await Store(loop, inode, part.offset_bytes, std::move(payload), Durability::kApplied);
    if (!stored) co_return stored.error();
    std::lock_guard lock(inode->mutex);
    inode->NoteUnsynced(stored->index, stored->place, stored->epoch);
  }
  co_return Result<void>();
}

Result<void> WriteBack::TakeErrorForSync(OpenHandle& handle) {
  std::lock_guard lock(handle.inode->mutex);
  WriteErrors& errors = handle.inode->errors;
  if (std::exchange(handle.errors_seen_by_sync, errors.count) == errors.count) return {};
  handle.errors_seen_by_write = errors.told = errors.count;
  return errors.last;
}

Result<void> WriteBack::TakeErrorForWrite(OpenHandle& handle) {
  std::lock_guard lock(handle.inode->mutex);
  WriteErrors& errors = handle.inode->errors;
  if (std::exchange(handle.errors_seen_by_write, errors.count) == errors.count) return {};
  errors.told = errors.count;
  return errors.last;
}

void WriteBack::Discard(ClientLoop* loop, const OpenInodePtr& inode) {
  {
    std::lock_guard lock(inode->mutex);
    parts_.memory.GiveWritten(inode->dirty.DropGathering());
    inode->NoteLessDirty();
    dirty_list_.Update(inode, loop->Now());
  }
  RetireIfClean(inode);
}

void WriteBack::RetireIfClean(const OpenInodePtr& inode) {
  bool clean = false;
  {
    std::lock_guard lock(inode->mutex);
    clean = inode->dirty.empty() && inode->handles.empty();
  }
  if (clean) parts_.retire(inode);
}

void WriteBack::NoteFailure(ClientLoop* loop, ErrorCode code) {
  if (code == ErrorCode::kNoSpace) no_space_until_ns_ = (loop->Now() + kSpaceDoubt).ns;
}

bool WriteBack::SpaceIsShort(ClientLoop* loop) const {
  if (loop->Now() < TimePoint{no_space_until_ns_.load()}) return true;
  const std::optional<std::uint64_t> share = parts_.session.FreeBytesEach();
  return share && *share < kSpareMemories * parts_.memory.limit();
}

/// While some wait for their turn, all that were dirty have one.
void WriteBack::FlushAllInBackground() {
  if (flushes_.has_waiting()) return;
  for (const OpenInodePtr& inode : dirty_list_.Snapshot()) flushes_.Add(inode);
}

Task<void> WriteBack::AgeUntilStopped(ClientLoop* loop) {
  while (!ageing_stopped_) {
    co_await age_sleep_.Until(loop->env(), loop->Now() + kMaxAge / 2);
    const Duration limit = loop->env().Buggified("client.flush_early") ? Duration::zero() : kMaxAge;
    TimePoint old = loop->Now() - limit;
    flushes_.PassSlow(loop->Now());
    for (const OpenInodePtr& inode : dirty_list_.Snapshot()) {
      bool due = false;
      {
        std::lock_guard lock(inode->mutex);
        due = inode->listed && inode->dirty_since <= old;
      }
      if (due) flushes_.Add(inode);
    }
  }
}

void WriteBack::StopAgeing() {
  ageing_stopped_ = true;
  age_sleep_.Cancel();
}

Task<bool> WriteBack::FlushEverything(ClientLoop* loop, TimePoint deadline) {
  constexpr Duration kLook = std::chrono::milliseconds(10);
  while (!dirty_list_.empty() && loop->Now() < deadline) {
    FlushAllInBackground();
    co_await loop->env().clock.SleepFor(kLook);
  }
  co_return dirty_list_.empty();
}

}  // namespace gabion
