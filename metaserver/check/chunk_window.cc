#include "metaserver/check/chunk_window.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {

void ChunkWindow::AddCopy(ChunkId chunk, PgId pg, std::optional<unsigned> member) {
  if (chunks_.empty() || chunks_.back().chunk != chunk) {
    CHECK(chunks_.empty() || chunks_.back().chunk < chunk);
    chunks_.push_back({chunk, pg, 0});
  }
  if (member && *member < kMaxMembersOfMask && chunks_.back().pg == pg) chunks_.back().bits |= 1u << *member;
}

ChunkWindow::Stored* ChunkWindow::Find(ChunkId chunk) {
  auto found = std::lower_bound(chunks_.begin(), chunks_.end(), chunk,
                                [](const Stored& stored, ChunkId wanted) { return stored.chunk < wanted; });
  return found != chunks_.end() && found->chunk == chunk ? &*found : nullptr;
}

MemberMask ChunkWindow::MarkKnown(ChunkId chunk, PgId pg) {
  Stored* stored = Find(chunk);
  if (stored == nullptr) return 0;
  stored->bits |= kKnown;
  return stored->pg == pg ? stored->bits & ~kKnown : 0;
}

void ChunkWindow::MarkGarbage(ChunkId chunk) {
  if (Stored* stored = Find(chunk)) stored->bits |= kKnown;
}

}  // namespace gabion
