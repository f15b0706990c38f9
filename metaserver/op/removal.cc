#include "metaserver/op/removal.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/env/mutate.h"
#include "metaserver/op/inode.h"

namespace gabion {

records::Garbage GarbageOf(const Placement& placement, PgId pg) {
  records::Garbage record;
  record.set_pg_id(pg.value());
  record.set_epoch(placement.EpochOf(pg).value());
  return record;
}

void MakeGarbage(Txn& txn, OpContext& context, const records::Chunk& chunk) {
  const PgId pg(chunk.pg_id());
  for (ServerId member : context.placement.MembersOf(pg)) {
    if (Mutated("meta.lose_garbage")) break;
    txn.PutGarbage(member, ChunkId(chunk.chunk_id()), GarbageOf(context.placement, pg));
    ++context.effects.garbage_added;
  }
}

Result<void> RemoveInode(Txn& txn, OpContext& context, Ino ino, const records::Inode& inode) {
  if (inode.has_first_chunk()) MakeGarbage(txn, context, inode.first_chunk());
  if (inode.mapped_chunks() + inode.xattrs() > kMaxRecordsPerRemoval) {
    txn.PutReclaim(ino);
    context.effects.reclaims_added.push_back(ino);
  } else {
    TRY_ASSIGN(std::vector<Txn::MappedChunk> chunks, txn.ListChunks(ino, 0, 0, inode.mapped_chunks()));
    for (const Txn::MappedChunk& mapped : chunks) {
      MakeGarbage(txn, context, mapped.chunk);
      txn.DeleteChunk(ino, mapped.index);
    }
    TRY_ASSIGN(std::vector<std::string> names, txn.ListXattrs(ino, inode.xattrs()));
    for (const std::string& name : names) txn.DeleteXattr(ino, name);
    if (context.state.reclaims.contains(ino)) {
      txn.DeleteReclaim(ino);
      context.effects.reclaims_removed.push_back(ino);
    }
  }
  txn.DeleteInode(ino);
  if (context.state.orphans.contains(ino)) {
    txn.DeleteOrphan(ino);
    context.effects.orphans_removed.push_back(ino);
  }
  context.effects.inodes_delta -= 1;
  context.effects.used_bytes_delta -= static_cast<std::int64_t>(inode.used_bytes());
  return {};
}

Result<void> DropLink(Txn& txn, OpContext& context, Ino ino, records::Inode& inode) {
  inode.set_nlink(IsDirectory(inode) || inode.nlink() == 0 ? 0 : inode.nlink() - 1);
  inode.set_ctime_ns(context.now_ns);
  if (inode.nlink() > 0) {
    txn.PutInode(ino, inode);
    return {};
  }
  if (!context.state.MayBeOpen(ino) || Mutated("meta.remove_open")) return RemoveInode(txn, context, ino, inode);
  inode.set_linkable(false);
  txn.PutInode(ino, inode);
  txn.PutOrphan(ino);
  context.effects.orphans_added.push_back(ino);
  return {};
}

void AddHandles(const std::vector<HandleId>& handles, google::protobuf::RepeatedField<std::uint64_t>& field) {
  for (HandleId handle : handles) field.Add(handle.value());
}

Result<void> RequireLeadsTo(const std::string& name, Ino ino, Ino expected) {
  if (ino == expected) return {};
  return Error(ErrorCode::kNameChanged,
               fmt::format("'{}' leads to inode {}, not to {}", name, ino.value(), expected.value()));
}

Result<void> ReclaimStep(Txn& txn, OpContext& context, Ino ino, std::size_t max_records) {
  // A removed inode's records are all dead, a file that was cut has dead ones from an index on.
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  std::size_t removed = 0;
  if (!inode || inode->dead_from_index() != 0) {
    const std::uint64_t first_index = inode ? inode->dead_from_index() : 0;
    TRY_ASSIGN(std::vector<Txn::MappedChunk> chunks, txn.ListChunks(ino, first_index, 0, max_records));
    for (const Txn::MappedChunk& mapped : chunks) {
      MakeGarbage(txn, context, mapped.chunk);
      txn.DeleteChunk(ino, mapped.index);
    }
    removed += chunks.size();
  }
  if (!inode) {
    TRY_ASSIGN(std::vector<std::string> names, txn.ListXattrs(ino, max_records - removed));
    for (const std::string& name : names) txn.DeleteXattr(ino, name);
    removed += names.size();
  }
  const bool finished = removed < max_records;
  if (inode) {
    inode->set_mapped_chunks(inode->mapped_chunks() - std::min<std::uint64_t>(inode->mapped_chunks(), removed));
    if (finished) inode->set_dead_from_index(0);
    txn.PutInode(ino, *inode);
  }
  if (finished) {
    txn.DeleteReclaim(ino);
    context.effects.reclaims_removed.push_back(ino);
  }
  return {};
}

}  // namespace gabion
