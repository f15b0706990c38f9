#include "metaserver/check/count_pass.h"

#include <sys/stat.h>

#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

// Each is sorted by inode number.
constexpr Table kOwnedTables[] = {Table::kInode, Table::kDentry, Table::kXattr,
                                  Table::kChunk, Table::kOrphan, Table::kReclaim};

/// The inode to which a record belongs: of a name, the directory.
Result<Ino> OwnerOf(Table table, std::string_view key) {
  switch (table) {
    case Table::kDentry:
    case Table::kXattr: {
      TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(table, key));
      return parts.ino;
    }
    case Table::kChunk: {
      TRY_ASSIGN(const ChunkKeyParts parts, DecodeChunkKey(key));
      return parts.ino;
    }
    default: {
      TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(table, key));
      return parts.ino;
    }
  }
}

}  // namespace

CountPass::CountPass(KvSnapshot& snapshot, VolumeId volume, CheckLog& log)
    : snapshot_(snapshot), volume_(volume), log_(log) {
  for (Table table : kOwnedTables)
    sources_.push_back({table, TableCursor(snapshot, TablePrefix(table, volume)), Ino()});
}

Task<Result<void>> CountPass::LoadStats() {
  TableCursor cursor(snapshot_, VolumeStatsKey(volume_));
  Result<void> read = co_await cursor.ReadPage();
  CO_TRY(read);
  // A volume without the record has statistics of nothing.
  if (!cursor.at_end()) CO_TRY(DecodeRecordInto(cursor.record().key, cursor.record().value, recorded_));
  co_return Result<void>();
}

Task<Result<CountPass::Totals>> CountPass::Run() {
  Result<void> loaded = co_await LoadStats();
  CO_TRY(loaded);
  log_.BeginPhase("counting what inodes have", recorded_.inodes());
  for (Source& source : sources_) {
    Result<void> read = co_await source.cursor.ReadPage();
    CO_TRY(read);
    CO_TRY(FindOwner(source));
  }
  while (Source* source = FindFirst()) {
    if (source->ino != ino_) {
      FinishInode();
      ino_ = source->ino;
    }
    CO_TRY(Take(*source));
    source->cursor.Advance();
    if (source->cursor.needs_page()) {
      CO_TRY(log_.CheckGoing());
      Result<void> read = co_await source->cursor.ReadPage();
      CO_TRY(read);
    }
    CO_TRY(FindOwner(*source));
  }
  FinishInode();
  for (proto::CheckFault& fault : CompareStats(volume_, recorded_, found_)) log_.Add(std::move(fault));
  co_return totals_;
}

Result<void> CountPass::FindOwner(Source& source) {
  if (source.cursor.at_end()) return {};
  TRY_ASSIGN(source.ino, OwnerOf(source.table, source.cursor.record().key));
  return {};
}

CountPass::Source* CountPass::FindFirst() {
  Source* first = nullptr;
  for (Source& source : sources_) {
    if (!source.cursor.at_end() && (first == nullptr || source.ino < first->ino)) first = &source;
  }
  return first;
}

Result<void> CountPass::Take(Source& source) {
  const auto& [key, value] = source.cursor.record();
  switch (source.table) {
    case Table::kInode: {
      TRY_ASSIGN(facts_.inode, DecodeRecord<records::Inode>(key, value));
      found_.set_inodes(found_.inodes() + 1);
      found_.set_used_bytes(found_.used_bytes() + facts_.inode->used_bytes());
      break;
    }
    case Table::kDentry: {
      TRY_ASSIGN(const records::Dentry dentry, DecodeRecord<records::Dentry>(key, value));
      ++facts_.entries;
      if (S_ISDIR(dentry.type_mode())) ++facts_.subdirectories;
      break;
    }
    case Table::kXattr: {
      TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kXattr, key));
      TRY_ASSIGN(const records::Xattr xattr, DecodeRecord<records::Xattr>(key, value));
      ++facts_.xattrs;
      facts_.xattr_bytes += parts.name.size() + xattr.value().size();
      break;
    }
    case Table::kChunk:
      ++facts_.chunks;
      break;
    case Table::kOrphan:
      facts_.is_orphan = true;
      break;
    default:
      facts_.awaits_reclaim = true;
  }
  return {};
}

void CountPass::FinishInode() {
  if (!ino_) return;
  for (proto::CheckFault& fault : CompareCounts(volume_, ino_, facts_)) log_.Add(std::move(fault));
  totals_.inodes += facts_.inode ? 1 : 0;
  totals_.names += facts_.entries;
  log_.CountInodes(facts_.inode ? 1 : 0);
  log_.CountNames(facts_.entries);
  log_.Advance(facts_.inode ? 1 : 0);
  facts_ = InodeFacts();
}

}  // namespace gabion
