#include <algorithm>
#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// lseek(2) to data and holes.

namespace gabion {
namespace {

// Chunks that one call looks at, 1 TiB of file; what lies further counts as data, which POSIX allows.
constexpr std::uint64_t kMaxChunksPerSeek = 16384;

/// The first offset from `from` on, within the chunk, that is data (or a hole); kChunkBytes if there is none.
std::uint64_t FindInChunk(const proto::StatChunkReply& chunk, std::uint64_t from, SeekWhence whence) {
  for (const proto::ByteRange& range : chunk.allocated()) {
    std::uint64_t end = range.offset_bytes() + range.length_bytes();
    if (end <= from) continue;
    if (whence == SeekWhence::kData) return std::max(from, range.offset_bytes());
    if (range.offset_bytes() > from) return from;
    from = end;
  }
  return whence == SeekWhence::kData ? kChunkBytes : from;
}

}  // namespace

Task<Result<std::uint64_t>> VolumeVfs::Seek(Caller caller, Ino, HandleId id, std::uint64_t offset, SeekWhence whence) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> handle = FindHandle(id);
  if (!handle) co_return handle.error();
  OpenInodePtr inode = (*handle)->inode;
  co_await parts_.write_back.FlushAll(loop, inode);
  CO_TRY(co_await LookAgain(loop, caller, inode));
  std::uint64_t size = 0;
  {
    std::lock_guard lock(inode->mutex);
    size = inode->Size();
  }
  Error nothing(ErrorCode::kNoAttribute, "nothing of that kind up to the end of the file");
  if (offset >= size) co_return nothing;

  std::uint64_t first = offset / kChunkBytes;
  for (std::uint64_t index = first; index * kChunkBytes < size; ++index) {
    std::uint64_t begin = index * kChunkBytes;
    std::uint64_t from = std::max(offset, begin);
    if (index - first >= kMaxChunksPerSeek) co_return whence == SeekWhence::kData ? from : size;
    Result<ChunkPlace> place = co_await parts_.places.ForReading(loop, inode, index, false);
    if (!place) co_return place.error();
    if (place->hole()) {
      if (whence == SeekWhence::kHole) co_return from;
      continue;
    }
    Result<proto::StatChunkReply> chunk = co_await parts_.chunks.Stat(loop, *place);
    if (!chunk) co_return chunk.error();
    std::uint64_t found = FindInChunk(*chunk, from - begin, whence);
    if (found < kChunkBytes && begin + found < size) co_return begin + found;
  }
  if (whence == SeekWhence::kData) co_return nothing;
  co_return size;  // every file ends in a hole
}

}  // namespace gabion
