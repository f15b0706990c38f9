#include "metaserver/check/chunk_pass.h"

#include <utility>

#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

/// Suspects that are looked at together.
constexpr std::size_t kMaxSuspects = 4096;

std::string PrefixOf(Table table, std::optional<VolumeId> only) {
  return only ? TablePrefix(table, *only) : TablePrefix(table);
}

ChunkSuspect ReferenceTo(const records::Chunk& chunk, VolumeId volume, Ino ino, std::uint64_t index) {
  return {ChunkId(chunk.chunk_id()), PgId(chunk.pg_id()), volume, ino, index, chunk.written()};
}

}  // namespace

ChunkPass::ChunkPass(Env& env, KvStore& kv, Cluster& cluster, VolumeTable& volumes, ChunkLister& lister,
                     std::size_t window_chunks, CheckLog& log)
    : kv_(kv),
      cluster_(cluster),
      lister_(lister),
      window_chunks_(window_chunks),
      log_(log),
      recheck_(env, kv, cluster, volumes, lister, log) {}

Task<Result<void>> ChunkPass::Run(std::optional<VolumeId> only) {
  log_.BeginPhase("comparing chunks", 0);
  Result<ServerEndpoints> found = co_await ChunkInventory::FindServers(cluster_, log_);
  CO_TRY_ASSIGN(ServerEndpoints servers, std::move(found));
  ChunkInventory inventory(std::move(servers), lister_, log_);
  do {
    Result<std::vector<Cluster::GroupView>> viewed = co_await cluster_.ViewGroups();
    CO_TRY_ASSIGN(const std::vector<Cluster::GroupView> views, std::move(viewed));
    groups_ = ChunkGroups(views);
    ChunkWindow window(inventory.last().next());
    Result<void> done = co_await inventory.Fill(window, window_chunks_, groups_);
    CO_TRY(done);
    done = co_await CheckWindow(std::move(window), only);
    CO_TRY(done);
  } while (!inventory.at_end());
  co_return Result<void>();
}

Task<Result<void>> ChunkPass::CheckWindow(ChunkWindow window, std::optional<VolumeId> only) {
  {
    const std::unique_ptr<KvSnapshot> snapshot = kv_.TakeSnapshot();
    Result<void> walked = co_await WalkInodes(*snapshot, PrefixOf(Table::kInode, only), window);
    CO_TRY(walked);
    walked = co_await WalkChunkTable(*snapshot, PrefixOf(Table::kChunk, only), window);
    CO_TRY(walked);
    walked = co_await WalkGarbage(*snapshot, window);
    CO_TRY(walked);
  }
  Result<void> looked = co_await Recheck();
  CO_TRY(looked);
  if (only) co_return Result<void>();
  looked = co_await FindOrphans(window);
  co_return looked;
}

Task<Result<void>> ChunkPass::WalkInodes(KvSnapshot& snapshot, std::string prefix, ChunkWindow& window) {
  TableCursor inodes(snapshot, std::move(prefix));
  while (true) {
    if (inodes.needs_page()) {
      Result<void> ready = co_await RecheckIfMany();
      CO_TRY(ready);
      ready = co_await inodes.ReadPage();
      CO_TRY(ready);
    }
    if (inodes.at_end()) co_return Result<void>();
    const auto& [key, value] = inodes.record();
    CO_TRY_ASSIGN(const records::Inode inode, DecodeRecord<records::Inode>(key, value));
    if (inode.has_first_chunk()) {
      CO_TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kInode, key));
      Compare(ReferenceTo(inode.first_chunk(), parts.volume, parts.ino, 0), window);
    }
    inodes.Advance();
  }
}

Task<Result<void>> ChunkPass::WalkChunkTable(KvSnapshot& snapshot, std::string prefix, ChunkWindow& window) {
  TableCursor chunks(snapshot, std::move(prefix));
  while (true) {
    if (chunks.needs_page()) {
      Result<void> ready = co_await RecheckIfMany();
      CO_TRY(ready);
      ready = co_await chunks.ReadPage();
      CO_TRY(ready);
    }
    if (chunks.at_end()) co_return Result<void>();
    const auto& [key, value] = chunks.record();
    CO_TRY_ASSIGN(const records::Chunk chunk, DecodeRecord<records::Chunk>(key, value));
    CO_TRY_ASSIGN(const ChunkKeyParts parts, DecodeChunkKey(key));
    Compare(ReferenceTo(chunk, parts.volume, parts.ino, parts.index), window);
    chunks.Advance();
  }
}

Task<Result<void>> ChunkPass::WalkGarbage(KvSnapshot& snapshot, ChunkWindow& window) {
  TableCursor garbage(snapshot, TablePrefix(Table::kGarbage));
  while (true) {
    if (garbage.needs_page()) {
      Result<void> read = co_await garbage.ReadPage();
      CO_TRY(read);
    }
    if (garbage.at_end()) co_return Result<void>();
    // Of whichever server: one that was made a member lately is told when another one has removed the chunk.
    CO_TRY_ASSIGN(const GarbageKeyParts parts, DecodeGarbageKey(garbage.record().key));
    window.MarkGarbage(parts.chunk);
    garbage.Advance();
  }
}

void ChunkPass::Compare(ChunkSuspect reference, ChunkWindow& window) {
  if (!window.Covers(reference.chunk)) return;
  const MemberMask in_sync = groups_.InSync(reference.pg);
  const MemberMask has_it = window.MarkKnown(reference.chunk, reference.pg) & in_sync;
  if (has_it == 0 && !reference.is_written) {
    log_.CountUnwritten(1);
  } else if (has_it != in_sync) {
    suspects_.push_back(reference);
  }
}

Task<Result<void>> ChunkPass::RecheckIfMany() {
  CO_TRY(log_.CheckGoing());
  if (suspects_.size() < kMaxSuspects) co_return Result<void>();
  Result<void> done = co_await Recheck();
  co_return done;
}

Task<Result<void>> ChunkPass::Recheck() {
  if (suspects_.empty()) co_return Result<void>();
  Result<void> done = co_await recheck_.Copies(std::exchange(suspects_, {}));
  co_return done;
}

Task<Result<void>> ChunkPass::FindOrphans(const ChunkWindow& window) {
  for (std::size_t at = 0; at < window.size();) {
    std::vector<OrphanSuspect> suspects;
    at = window.VisitUnknown(at, kMaxSuspects, [&](ChunkId chunk, PgId pg) { suspects.push_back({chunk, pg}); });
    if (suspects.empty()) break;
    CO_TRY(log_.CheckGoing());
    Result<void> checked = co_await recheck_.Orphans(std::move(suspects));
    CO_TRY(checked);
  }
  co_return Result<void>();
}

}  // namespace gabion
