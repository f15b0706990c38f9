#include "fs-client/io/dirty_data.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "common/base/check.h"

namespace gabion {
namespace {

// Pieces of a growing extent double up to this.
constexpr std::uint64_t kLargestPiece = kMiB;

bool AnyUpTo(const std::vector<WriteFramePtr>& frames, std::uint64_t write) {
  return std::any_of(frames.begin(), frames.end(),
                     [write](const WriteFramePtr& frame) { return frame->first_write <= write; });
}

bool AnyOverlaps(const std::vector<WriteFramePtr>& frames, std::uint64_t begin, std::uint64_t end) {
  return std::any_of(frames.begin(), frames.end(),
                     [begin, end](const WriteFramePtr& frame) { return frame->Overlaps(begin, end); });
}

std::size_t BytesOf(const std::vector<WriteFramePtr>& frames) {
  std::size_t bytes = 0;
  for (const WriteFramePtr& frame : frames) bytes += frame->payload.size();
  return bytes;
}

/// Appends the part of `frame` in [begin, end) to `parts`, slice by slice.
void AppendPart(const WriteFrame& frame, std::uint64_t begin, std::uint64_t end, std::vector<PlacedSlice>& parts) {
  std::uint64_t at = frame.offset_bytes;
  for (const Slice& slice : frame.payload.slices()) {
    std::uint64_t from = std::max(begin, at);
    std::uint64_t to = std::min(end, at + slice.size());
    if (from < to) parts.push_back({from, slice.Part(from - at, to - from)});
    at += slice.size();
  }
}

/// The parts of [begin, end) that none of `covers` touches.
std::vector<std::pair<std::uint64_t, std::uint64_t>> Uncovered(
    std::uint64_t begin, std::uint64_t end, std::vector<std::pair<std::uint64_t, std::uint64_t>> covers) {
  std::sort(covers.begin(), covers.end());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;
  for (auto [from, to] : covers) {
    if (from > begin && begin < end) holes.emplace_back(begin, std::min(from, end));
    begin = std::max(begin, to);
  }
  if (begin < end) holes.emplace_back(begin, end);
  return holes;
}

}  // namespace

std::size_t DirtyData::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  ++last_write_;
  std::size_t taken = 0;
  while (!bytes.empty()) {
    auto next = extents_.upper_bound(offset);
    std::size_t length = 0;
    if (next != extents_.begin() && std::prev(next)->second.end_bytes > offset) {
      length = WriteInside(std::prev(next), offset, bytes);
    } else {
      std::uint64_t limit = RoundDown(offset, kMaxPayloadBytes) + kMaxPayloadBytes;
      if (next != extents_.end()) limit = std::min(limit, next->first);
      length = WriteGap(offset, bytes, limit);
      taken += length;
    }
    bytes = bytes.subspan(length);
    offset += length;
  }
  gathering_bytes_ += taken;
  total_bytes_ += taken;
  return taken;
}

/// Overwrites what is there; how much of `bytes` fitted.
std::size_t DirtyData::WriteInside(Extents::iterator extent, std::uint64_t offset, std::span<const std::byte> bytes) {
  auto& pieces = extent->second.pieces;
  std::size_t length = std::min<std::uint64_t>(bytes.size(), extent->second.end_bytes - offset);
  std::size_t done = 0;
  auto piece = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                [](std::uint64_t at, const Piece& candidate) { return at < candidate.end_bytes(); });
  for (; done < length; ++piece) {
    std::size_t inside = offset + done - piece->offset_bytes;
    std::size_t part = std::min(length - done, piece->filled - inside);
    std::memcpy(piece->memory.data() + inside, bytes.data() + done, part);
    done += part;
  }
  return length;
}

/// Fills the gap from `offset` up to `limit` at most, growing the extent before it if that ends there.
std::size_t DirtyData::WriteGap(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t limit) {
  bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), limit - offset));
  auto next = extents_.lower_bound(offset);
  auto extent = next;
  if (next != extents_.begin() && std::prev(next)->second.end_bytes == offset && offset % kMaxPayloadBytes != 0) {
    extent = std::prev(next);
  } else {
    extent = extents_.emplace_hint(next, offset, Extent{offset, last_write_, {}});
  }
  Append(extent->first, extent->second, bytes);
  Merge(extent);
  NoteSize(extent);
  return bytes.size();
}

void DirtyData::Append(std::uint64_t start, Extent& extent, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (extent.pieces.empty() || extent.pieces.back().filled == extent.pieces.back().memory.size()) {
      // The first piece is as large as its write: most small files are one write. Later ones double.
      std::uint64_t wanted = std::max<std::uint64_t>(bytes.size(), std::min(extent.end_bytes - start, kLargestPiece));
      std::uint64_t window_end = RoundDown(start, kMaxPayloadBytes) + kMaxPayloadBytes;
      std::uint64_t end = std::min(RoundUp(extent.end_bytes + wanted, kBlockBytes), window_end);
      extent.pieces.push_back({MutableBuffer(end - extent.end_bytes), extent.end_bytes, 0});
    }
    Piece& piece = extent.pieces.back();
    std::size_t length = std::min(bytes.size(), piece.memory.size() - piece.filled);
    std::memcpy(piece.memory.data() + piece.filled, bytes.data(), length);
    piece.filled += length;
    extent.end_bytes += length;
    bytes = bytes.subspan(length);
  }
}

/// Joins the extent with the one that now begins where it ends. Where they meet inside a block they stay apart, for the
/// block's checksum would span two pieces.
void DirtyData::Merge(Extents::iterator extent) {
  auto next = std::next(extent);
  std::uint64_t border = extent->second.end_bytes;
  if (next == extents_.end() || next->first != border) return;
  if (border % kBlockBytes != 0 || border % kMaxPayloadBytes == 0) return;
  std::move(next->second.pieces.begin(), next->second.pieces.end(), std::back_inserter(extent->second.pieces));
  extent->second.end_bytes = next->second.end_bytes;
  extent->second.first_write = std::min(extent->second.first_write, next->second.first_write);
  streamable_.erase(next->first);
  extents_.erase(next);
}

void DirtyData::NoteSize(Extents::iterator extent) {
  if (extent->second.end_bytes - extent->first >= kStreamBytes) streamable_.insert(extent->first);
}

/// Whether something on its way has to arrive before [begin, end) may go.
bool DirtyData::Busy(std::uint64_t begin, std::uint64_t end) const {
  return AnyOverlaps(sending_, begin, end) || (resending_ && AnyOverlaps(committing_, begin, end));
}

WriteFramePtr DirtyData::TakeForStreaming() {
  is_large_ = total_bytes_ > kHeldBytes || (is_large_ && !empty());
  if (!is_large_ || sending_.size() >= kMaxSending) return nullptr;
  for (std::uint64_t start : streamable_) {
    auto extent = extents_.find(start);
    CHECK(extent != extents_.end());
    if (Busy(start, extent->second.end_bytes)) continue;
    SplitTail(extent);
    return Take(extent);
  }
  if (gathering_bytes_ <= kMaxGatheringBytes) return nullptr;
  for (auto extent = extents_.begin(); extent != extents_.end(); ++extent) {
    if (!Busy(extent->first, extent->second.end_bytes)) return Take(extent);
  }
  return nullptr;
}

WriteFramePtr DirtyData::TakeUpTo(std::uint64_t write) {
  if (sending_.size() >= kMaxSending) return nullptr;
  for (auto extent = extents_.begin(); extent != extents_.end(); ++extent) {
    if (extent->second.first_write <= write && !Busy(extent->first, extent->second.end_bytes)) return Take(extent);
  }
  return nullptr;
}

/// Leaves the begun block at the extent's end gathering, for the writer is about to fill it: the servers then never
/// have to merge it.
void DirtyData::SplitTail(Extents::iterator extent) {
  std::uint64_t end = extent->second.end_bytes;
  std::uint64_t cut = RoundDown(end, kBlockBytes);
  if (cut == end || cut <= extent->first) return;
  Piece& last = extent->second.pieces.back();
  Extent tail{cut, extent->second.first_write, {}};
  Append(cut, tail, std::span(last.memory.data() + (cut - last.offset_bytes), end - cut));
  last.filled -= end - cut;
  extent->second.end_bytes = cut;
  if (last.filled == 0) extent->second.pieces.pop_back();
  extents_.emplace_hint(std::next(extent), cut, std::move(tail));
}

WriteFramePtr DirtyData::Take(Extents::iterator extent) {
  auto frame = std::make_shared<WriteFrame>();
  frame->offset_bytes = extent->first;
  frame->first_write = extent->second.first_write;
  for (Piece& piece : extent->second.pieces) {
    std::size_t filled = piece.filled;
    frame->payload.Append(std::move(piece.memory).Share().Part(0, filled));
  }
  gathering_bytes_ -= frame->payload.size();
  streamable_.erase(extent->first);
  extents_.erase(extent);
  sending_.push_back(frame);
  return frame;
}

void DirtyData::Landed(const WriteFramePtr& frame) {
  CHECK(std::erase(sending_, frame) == 1);
  landed_.push_back(frame);
  landed_bytes_ += frame->payload.size();
}

std::size_t DirtyData::DropGathering() {
  const std::size_t bytes = std::exchange(gathering_bytes_, 0);
  extents_.clear();
  streamable_.clear();
  total_bytes_ -= bytes;
  return bytes;
}

std::size_t DirtyData::Dropped(const WriteFramePtr& frame) {
  CHECK(std::erase(sending_, frame) == 1);
  total_bytes_ -= frame->payload.size();
  return frame->payload.size();
}

void DirtyData::BeginCommit() {
  CHECK(committing_.empty());
  committing_.swap(landed_);
  landed_bytes_ = 0;
}

std::size_t DirtyData::EndCommit() {
  std::size_t bytes = BytesOf(committing_);
  committing_.clear();
  resending_ = false;
  total_bytes_ -= bytes;
  return bytes;
}

std::vector<PlacedSlice> DirtyData::TakeBackCommitting() {
  resending_ = true;
  std::vector<PlacedSlice> parts;
  for (std::size_t i = 0; i < committing_.size(); ++i) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> newer;
    for (std::size_t j = i + 1; j < committing_.size(); ++j) {
      newer.emplace_back(committing_[j]->offset_bytes, committing_[j]->end_bytes());
    }
    for (const WriteFramePtr& frame : sending_) newer.emplace_back(frame->offset_bytes, frame->end_bytes());
    for (const WriteFramePtr& frame : landed_) newer.emplace_back(frame->offset_bytes, frame->end_bytes());
    const WriteFrame& frame = *committing_[i];
    for (auto [begin, end] : Uncovered(frame.offset_bytes, frame.end_bytes(), std::move(newer))) {
      AppendPart(frame, begin, end, parts);
    }
  }
  return parts;
}

bool DirtyData::HasGathering(std::uint64_t up_to_write) const {
  return std::any_of(extents_.begin(), extents_.end(),
                     [up_to_write](const auto& entry) { return entry.second.first_write <= up_to_write; });
}

bool DirtyData::HasSending(std::uint64_t up_to_write) const {
  return AnyUpTo(sending_, up_to_write);
}

bool DirtyData::HasUncommitted(std::uint64_t up_to_write) const {
  return AnyUpTo(landed_, up_to_write) || AnyUpTo(committing_, up_to_write);
}

std::uint64_t DirtyData::end_bytes() const {
  std::uint64_t end = extents_.empty() ? 0 : std::prev(extents_.end())->second.end_bytes;
  for (const auto* frames : {&sending_, &landed_, &committing_}) {
    for (const WriteFramePtr& frame : *frames) end = std::max(end, frame->end_bytes());
  }
  return end;
}

std::vector<PlacedSlice> DirtyData::Overlay(std::uint64_t begin, std::uint64_t end) const {
  std::vector<PlacedSlice> parts;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> covered;
  auto extent = extents_.upper_bound(begin);
  if (extent != extents_.begin()) --extent;
  for (; extent != extents_.end() && extent->first < end; ++extent) {
    for (const Piece& piece : extent->second.pieces) {
      std::uint64_t from = std::max(begin, piece.offset_bytes);
      std::uint64_t to = std::min(end, piece.end_bytes());
      if (from >= to) continue;
      auto* bytes = const_cast<Piece&>(piece).memory.data() + (from - piece.offset_bytes);
      parts.push_back({from, Slice::CopyOf(std::span<const std::byte>(bytes, to - from))});
      covered.emplace_back(from, to);
    }
  }
  for (const WriteFramePtr& frame : sending_) {
    if (!frame->Overlaps(begin, end)) continue;
    std::uint64_t from = std::max(begin, frame->offset_bytes);
    std::uint64_t to = std::min(end, frame->end_bytes());
    for (auto [hole_begin, hole_end] : Uncovered(from, to, covered)) AppendPart(*frame, hole_begin, hole_end, parts);
  }
  std::sort(parts.begin(), parts.end(),
            [](const PlacedSlice& a, const PlacedSlice& b) { return a.offset_bytes < b.offset_bytes; });
  return parts;
}

}  // namespace gabion
