#include "fs-client/session/delegated_ids.h"

#include <algorithm>

namespace gabion {

void DelegatedIds::Add(const proto::IdRange& inos, const proto::IdRange& chunk_ids) {
  std::lock_guard lock(mutex_);
  inos_.Add(inos.first(), inos.count());
  chunks_.Add(chunk_ids.first(), chunk_ids.count());
}

void DelegatedIds::Clear() {
  std::lock_guard lock(mutex_);
  inos_.Clear();
  chunks_.Clear();
}

std::optional<NewFileIds> DelegatedIds::TakeForFile() {
  std::lock_guard lock(mutex_);
  if (inos_.remaining() == 0 || chunks_.remaining() == 0) return std::nullopt;
  return NewFileIds{Ino(*inos_.Take()), ChunkId(*chunks_.Take())};
}

std::optional<ChunkId> DelegatedIds::TakeChunk() {
  std::lock_guard lock(mutex_);
  std::optional<std::uint64_t> id = chunks_.Take();
  if (!id) return std::nullopt;
  return ChunkId(*id);
}

std::uint64_t DelegatedIds::missing_inos() const {
  std::lock_guard lock(mutex_);
  return kBatch - std::min(kBatch, inos_.remaining());
}

std::uint64_t DelegatedIds::missing_chunks() const {
  std::lock_guard lock(mutex_);
  return kBatch - std::min(kBatch, chunks_.remaining());
}

bool DelegatedIds::low() const {
  std::lock_guard lock(mutex_);
  return inos_.remaining() < kLowWater || chunks_.remaining() < kLowWater;
}

}  // namespace gabion
