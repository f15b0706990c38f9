#include "fs-client/io/reader.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace gabion {
namespace {

Slice MakeZeros() {
  constexpr std::size_t kZeroBytes = 256 * kKiB;
  MutableBuffer zeros(kZeroBytes);
  std::memset(zeros.data(), 0, zeros.size());
  return std::move(zeros).Share();
}

/// Appends the bytes [begin, end) of `from`, shared.
void AppendPart(const Payload& from, std::uint64_t begin, std::uint64_t end, Payload& to) {
  std::uint64_t at = 0;
  for (const Slice& slice : from.slices()) {
    std::uint64_t first = std::max(begin, at);
    std::uint64_t last = std::min(end, at + slice.size());
    if (first < last) to.Append(slice.Part(first - at, last - first));
    at += slice.size();
  }
}

}  // namespace

void AppendZeros(std::uint64_t size, Payload& payload) {
  static const Slice zeros = MakeZeros();
  while (size > 0) {
    std::uint64_t part = std::min<std::uint64_t>(size, zeros.size());
    payload.Append(zeros.Part(0, part));
    size -= part;
  }
}

Task<Result<Payload>> Reader::Read(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t offset, std::uint32_t size) {
  CO_TRY(co_await AwaitCut(loop, handle->inode, offset + size));
  Target target;
  target.offset_bytes = offset;
  std::uint64_t end = 0;
  std::vector<PlacedSlice> overlay;
  std::vector<ReadSegmentPtr> started;
  {
    std::lock_guard lock(handle->inode->mutex);
    OpenInode& inode = *handle->inode;
    std::uint64_t file_bytes = inode.Size();
    if (offset >= file_bytes) co_return target.payload;
    end = offset + std::min<std::uint64_t>(size, file_bytes - offset);
    if (!inode.dirty.empty()) overlay = inode.dirty.Overlay(offset, end);
    // Up to its last block's end a cut chunk may still have what was cut off, which nobody is to keep.
    const std::uint64_t keep_bytes = inode.known.trim ? RoundDown(inode.known.size, kBlockBytes) : file_bytes;
    if ((handle->flags & O_DIRECT) == 0 && !tasks_.closed() && offset < keep_bytes)
      started = handle->stream.OnRead(offset, std::min(end, keep_bytes) - offset, keep_bytes, memory_);
  }
  for (ReadSegmentPtr& segment : started) {
    tasks_.Spawn(loop->env().executor, Load(loop, handle, std::move(segment)));
  }
  for (PlacedSlice& part : overlay) {
    CO_TRY(co_await ReadUpTo(loop, handle, part.offset_bytes, target));
    target.offset_bytes += part.slice.size();
    target.payload.Append(std::move(part.slice));
  }
  CO_TRY(co_await ReadUpTo(loop, handle, end, target));
  co_return std::move(target.payload);
}

/// While a cut is pending the chunks still have what was cut off. Nobody has read it as long as the file ended there;
/// with bytes gathered behind the cut it would show as if the file had never been shorter.
Task<Result<void>> Reader::AwaitCut(ClientLoop* loop, OpenInodePtr inode, std::uint64_t end) {
  {
    std::lock_guard lock(inode->mutex);
    if (!inode->known.trim || std::min(end, inode->Size()) <= inode->known.size) co_return Result<void>();
  }
  co_return co_await places_.FinishKnownTrim(loop, std::move(inode));
}

Task<Result<void>> Reader::ReadUpTo(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t end, Target& target) {
  while (target.offset_bytes < end) {
    std::uint64_t begin = target.offset_bytes;
    std::uint64_t stop = end;
    std::shared_ptr<AsyncEvent> loading;
    {
      std::lock_guard lock(handle->inode->mutex);
      ReadSegmentPtr segment = handle->stream.Find(begin);
      if (segment == nullptr) {
        stop = std::min(end, handle->stream.NextBegin(begin));
      } else if (segment->state == ReadSegment::State::kLoading) {
        loading = segment->settled.Add();
      } else {
        stop = std::min(end, segment->end_bytes);
        AppendPart(segment->payload, begin - segment->begin_bytes, stop - segment->begin_bytes, target.payload);
        target.offset_bytes = stop;
        continue;
      }
    }
    if (loading != nullptr) {
      co_await loading->Wait();
      continue;
    }
    Result<Payload> stored = co_await ReadStored(loop, handle, begin, stop);
    if (!stored) co_return stored.error();
    for (const Slice& slice : stored->slices()) target.payload.Append(slice);
    target.offset_bytes = stop;
  }
  co_return Result<void>();
}

/// Exactly the bytes [begin, end), from the chunkservers.
Task<Result<Payload>> Reader::ReadStored(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t begin,
                                         std::uint64_t end) {
  // Without the kernel's cache no look at the attributes precedes the read, which would tell of a hole filled
  // elsewhere.
  bool ask_again = handle->IsDirect();
  Payload all;
  while (begin < end) {
    std::uint64_t index = begin / kChunkBytes;
    std::uint64_t chunk_begin = index * kChunkBytes;
    std::uint64_t stop = std::min({end, chunk_begin + kChunkBytes, RoundDown(begin, kBlockBytes) + kMaxPayloadBytes});
    Result<ChunkPlace> place = co_await places_.ForReading(loop, handle->inode, index, ask_again);
    if (!place) co_return place.error();
    if (place->hole()) {
      AppendZeros(stop - begin, all);
      begin = stop;
      continue;
    }
    std::uint64_t first = RoundDown(begin - chunk_begin, kBlockBytes);
    std::uint64_t last = RoundUp(stop - chunk_begin, kBlockBytes);
    Result<Slice> blocks = co_await chunks_.Read(loop, *place, static_cast<std::uint32_t>(first),
                                                 static_cast<std::uint32_t>(last - first));
    if (!blocks) co_return blocks.error();
    std::uint64_t skip = begin - chunk_begin - first;
    std::uint64_t there = blocks->size() > skip ? std::min<std::uint64_t>(blocks->size() - skip, stop - begin) : 0;
    if (there > 0) all.Append(blocks->Part(skip, there));
    AppendZeros(stop - begin - there, all);
    begin = stop;
  }
  co_return all;
}

Task<void> Reader::Load(ClientLoop* loop, OpenHandlePtr handle, ReadSegmentPtr segment) {
  Result<Payload> loaded = co_await ReadStored(loop, handle, segment->begin_bytes, segment->end_bytes);
  WaitList::Waiters woken;
  {
    std::lock_guard lock(handle->inode->mutex);
    if (segment->state != ReadSegment::State::kLoading) co_return;  // void by now; its waiters know
    if (loaded) {
      segment->payload = std::move(*loaded);
      segment->state = ReadSegment::State::kReady;
      woken = segment->settled.TakeAll();
    } else {
      // Whoever needs the range reads it himself, and hears of the failure.
      woken = handle->stream.Drop(segment->begin_bytes, segment->end_bytes);
    }
  }
  WaitList::Wake(woken);
}

}  // namespace gabion
