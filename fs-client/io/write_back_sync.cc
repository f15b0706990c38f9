#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "fs-client/io/write_back.h"

// Making what was written durable.

namespace gabion {

Task<Result<void>> WriteBack::Sync(ClientLoop* loop, OpenInodePtr inode, bool data_only) {
  if (Mutated("client.fsync_nothing")) co_return Result<void>();
  std::uint64_t newest = 0;
  {
    std::lock_guard lock(inode->mutex);
    newest = inode->dirty.last_write();
  }
  co_await FlushWith(loop, inode, newest, Durability::kDurable);
  CO_TRY(co_await SyncChunks(loop, inode));
  co_return co_await SyncMeta(loop, std::move(inode), data_only);
}

Task<Result<void>> WriteBack::SyncMeta(ClientLoop* loop, OpenInodePtr inode, bool data_only) {
  AsyncMutex::Guard guard = co_await inode->syncing.Lock();
  std::uint64_t changes = 0;
  {
    std::lock_guard lock(inode->mutex);
    if (!std::exchange(inode->meta_unsynced, false) && data_only) co_return Result<void>();
    changes = inode->changes;
  }
  const std::uint64_t names = parts_.session.names().changes();
  proto::SyncMetaRequest request;
  auto reply =
      co_await parts_.meta.Read<proto::SyncMetaReply>(loop, kOwnWork, proto::METHOD_SYNC_META, std::move(request));
  if (reply) parts_.session.names().NoteSynced(names);
  std::lock_guard lock(inode->mutex);
  if (reply) {
    // Not before: what is lost with the metaserver's power meanwhile is told as an error of what was written.
    inode->synced_changes = std::max(inode->synced_changes, changes);
    co_return Result<void>();
  }
  inode->meta_unsynced = true;
  co_return reply.error();
}

Task<Result<void>> WriteBack::SyncChunks(ClientLoop* loop, OpenInodePtr inode) {
  AsyncMutex::Guard guard = co_await inode->syncing.Lock();
  std::map<std::uint64_t, UnsyncedChunk> unsynced;
  bool foreign = false;
  {
    std::lock_guard lock(inode->mutex);
    unsynced.swap(inode->unsynced);
    foreign = std::exchange(inode->foreign_unsynced, false);
  }
  std::vector<UnsyncedChunk> chunks;
  for (const auto& [index, chunk] : unsynced) chunks.push_back(chunk);
  Result<std::vector<ChunkPlace>> lost = std::vector<ChunkPlace>();
  if (foreign) {
    Result<std::vector<ChunkPlace>> all = co_await AllPlaces(loop, inode);
    if (all) {
      for (const ChunkPlace& place : *all) chunks.push_back({place, Epoch()});
    } else {
      lost = all.error();
    }
  }
  if (lost && !chunks.empty()) lost = co_await parts_.chunks.Sync(loop, std::move(chunks));
  std::lock_guard lock(inode->mutex);
  if (!lost) {
    for (const auto& [index, chunk] : unsynced) inode->NoteUnsynced(index, chunk.place, chunk.since);
    inode->foreign_unsynced |= foreign;
    co_return lost.error();
  }
  if (!lost->empty()) {
    const Error error(ErrorCode::kIo,
                      fmt::format("all copies of chunk {} lost power before what was written was synced",
                                  lost->front().chunk.value()));
    LogError("inode {}: written bytes may be gone: {}", inode->ino().value(), error.message());
    inode->errors.Add(error);
  }
  co_return Result<void>();
}

/// Every chunk that the file has.
Task<Result<std::vector<ChunkPlace>>> WriteBack::AllPlaces(ClientLoop* loop, OpenInodePtr inode) {
  std::uint64_t count = 0;
  {
    std::lock_guard lock(inode->mutex);
    count = RoundUp(inode->Size(), kChunkBytes) / kChunkBytes;
  }
  std::vector<ChunkPlace> places;
  for (std::uint64_t index = 0; index < count; ++index) {
    Result<ChunkPlace> place = co_await parts_.places.ForReading(loop, inode, index, false);
    if (!place) co_return place.error();
    if (!place->hole()) places.push_back(*place);
  }
  co_return places;
}

}  // namespace gabion
