#include "fs-client/io/chunk_places.h"

#include <algorithm>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

/// How many chunks to place at once: one by one in small files, more the further a writer has got.
std::uint64_t CountToPlace(const OpenInode& inode, std::uint64_t index) {
  if (index == 0) return 1;
  std::optional<ChunkPlace> before = inode.chunks.Find(index - 1);
  bool in_row = before && !before->hole() && inode.Size() >= index * kChunkBytes;
  return in_row ? std::min(index, ChunkPlaces::kMaxPlacedAhead) : 1;
}

std::uint64_t CountToAsk(const OpenInode& inode, std::uint64_t index) {
  std::uint64_t end = RoundUp(inode.Size(), kChunkBytes) / kChunkBytes;
  return end <= index ? 1 : std::min(end - index, ChunkPlaces::kMaxAskedAhead);
}

}  // namespace

Task<Result<ChunkPlace>> ChunkPlaces::ForReading(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index,
                                                 bool ask_again) {
  for (;;) {
    {
      std::lock_guard lock(inode->mutex);
      std::optional<ChunkPlace> known = inode->chunks.Find(index);
      if (known && !(known->hole() && ask_again)) co_return *known;
    }
    CO_TRY(co_await Ask(loop, inode, index));
    ask_again = false;
  }
}

Task<Result<void>> ChunkPlaces::Ask(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index) {
  proto::GetChunksRequest request;
  request.set_ino(inode->ino().value());
  request.set_first_index(index);
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(inode->mutex);
    request.set_count(static_cast<std::uint32_t>(CountToAsk(*inode, index)));
    generation = inode->chunks.generation();
  }
  std::uint32_t count = request.count();
  auto reply = co_await meta_.Read<proto::GetChunksReply>(loop, kOwnWork, proto::METHOD_GET_CHUNKS, std::move(request));
  if (!reply) co_return reply.error();
  if (static_cast<std::uint32_t>(reply->chunks_size()) != count) {
    co_return Error(ErrorCode::kProtocol, "METHOD_GET_CHUNKS: not as many chunks as asked for");
  }
  std::lock_guard lock(inode->mutex);
  if (inode->chunks.generation() != generation) co_return Result<void>();  // from before a change: ask again
  for (const proto::ChunkRef& ref : reply->chunks()) inode->chunks.Set(index++, ChunkPlace::From(ref));
  co_return Result<void>();
}

Task<Result<ChunkPlace>> ChunkPlaces::ForWriting(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index) {
  for (;;) {
    bool cut_pending = false;
    {
      std::lock_guard lock(inode->mutex);
      cut_pending = inode->known.trim.has_value();
      std::optional<ChunkPlace> known = inode->chunks.Find(index);
      if (!cut_pending && known && !known->hole()) co_return *known;
    }
    if (cut_pending) {
      CO_TRY(co_await FinishKnownTrim(loop, inode));
    } else {
      CO_TRY(co_await Allocate(loop, inode, index));
    }
  }
}

Task<Result<void>> ChunkPlaces::Allocate(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index) {
  AsyncMutex::Guard guard = co_await inode->placing.Lock();
  std::uint64_t count = 0;
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(inode->mutex);
    std::optional<ChunkPlace> known = inode->chunks.Find(index);
    if (known && !known->hole()) co_return Result<void>();  // somebody was faster
    count = CountToPlace(*inode, index);
    generation = inode->chunks.generation();
  }
  SessionId session = session_.state()->id;
  Result<std::vector<ChunkId>> ids = co_await session_.TakeChunkIds(loop, count);
  if (!ids) co_return ids.error();
  proto::AllocateChunksRequest request;
  request.set_ino(inode->ino().value());
  request.set_first_index(index);
  for (ChunkId id : *ids) request.add_chunk_ids(id.value());
  auto reply = co_await meta_.Mutate<proto::AllocateChunksReply>(loop, kOwnWork, proto::METHOD_ALLOCATE_CHUNKS,
                                                                 std::move(request));
  if (!reply && session_.state()->id != session) co_return Result<void>();  // its ids went with it: ask again
  if (!reply) co_return reply.error();
  if (reply->chunks_size() == 0 || reply->chunks(0).chunk_id() == 0) {
    co_return Error(ErrorCode::kProtocol, "METHOD_ALLOCATE_CHUNKS: no chunk in the answer");
  }
  std::lock_guard lock(inode->mutex);
  if (inode->chunks.generation() != generation) co_return Result<void>();
  inode->meta_unsynced = true;
  for (const proto::ChunkRef& ref : reply->chunks()) inode->chunks.Set(index++, ChunkPlace::From(ref));
  co_return Result<void>();
}

Task<Result<void>> ChunkPlaces::FinishTrim(ClientLoop* loop, Ino ino, proto::TrimMark mark) {
  // A metaserver that lost its power must not come back to the longer file when its bytes are gone.
  proto::SyncMetaRequest sync;
  auto durable = co_await meta_.Read<proto::SyncMetaReply>(loop, kOwnWork, proto::METHOD_SYNC_META, std::move(sync));
  if (!durable) co_return durable.error();
  ChunkPlace place = ChunkPlace::From(mark.chunk());
  CO_TRY(co_await chunks_.Trim(loop, place, mark.length_bytes(), mark.generation()));
  proto::FinishTrimRequest request;
  request.set_ino(ino.value());
  request.set_generation(mark.generation());
  auto reply =
      co_await meta_.Mutate<proto::FinishTrimReply>(loop, kOwnWork, proto::METHOD_FINISH_TRIM, std::move(request));
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<Result<void>> ChunkPlaces::FinishKnownTrim(ClientLoop* loop, OpenInodePtr inode) {
  AsyncMutex::Guard guard = co_await inode->placing.Lock();
  std::optional<proto::TrimMark> mark;
  {
    std::lock_guard lock(inode->mutex);
    mark = inode->known.trim;
  }
  if (!mark) co_return Result<void>();
  CO_TRY(co_await FinishTrim(loop, inode->ino(), *mark));
  std::lock_guard lock(inode->mutex);
  bool same = inode->known.trim && inode->known.trim->generation() == mark->generation();
  if (same) inode->known.trim.reset();
  co_return Result<void>();
}

Task<Result<void>> ChunkPlaces::FinishForeignTrim(ClientLoop* loop, Ino ino, OpenInodePtr inode) {
  proto::GetAttrRequest request;
  request.set_ino(ino.value());
  auto reply = co_await meta_.Read<proto::GetAttrReply>(loop, kOwnWork, proto::METHOD_GET_ATTR, std::move(request));
  if (!reply) co_return reply.error();
  if (inode == nullptr) {
    if (!reply->attr().has_trim()) co_return Result<void>();
    co_return co_await FinishTrim(loop, ino, reply->attr().trim());
  }
  {
    std::lock_guard lock(inode->mutex);
    (void)inode->Observe(reply->attr());
  }
  co_return co_await FinishKnownTrim(loop, inode);
}

}  // namespace gabion
