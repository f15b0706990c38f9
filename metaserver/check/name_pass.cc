#include "metaserver/check/name_pass.h"

#include <algorithm>

#include "metaserver/store/record_codec.h"

namespace gabion {

NamePass::NamePass(KvSnapshot& snapshot, VolumeId volume, CountPass::Totals totals, std::size_t window_inodes,
                   CheckLog& log)
    : snapshot_(snapshot),
      volume_(volume),
      totals_(totals),
      window_inodes_(window_inodes),
      log_(log),
      inodes_(snapshot, TablePrefix(Table::kInode, volume)),
      orphans_(snapshot, TablePrefix(Table::kOrphan, volume)) {}

Task<Result<void>> NamePass::Run() {
  const std::uint64_t windows = totals_.inodes / window_inodes_ + 1;
  log_.BeginPhase("following names", std::max<std::uint64_t>(totals_.names * windows, 1));
  do {
    NameWindow window(volume_, last_.next());
    Result<void> done = co_await FillWindow(window);
    CO_TRY(done);
    if (!inodes_.at_end()) window.CloseAt(last_);
    done = co_await CountNames(window);
    CO_TRY(done);
    window.VisitFaults([this](proto::CheckFault fault) { log_.Add(std::move(fault)); });
  } while (!inodes_.at_end());
  co_return Result<void>();
}

Task<Result<void>> NamePass::FillWindow(NameWindow& window) {
  while (true) {
    if (inodes_.needs_page()) {
      CO_TRY(log_.CheckGoing());
      Result<void> read = co_await inodes_.ReadPage();
      CO_TRY(read);
    }
    if (inodes_.at_end() || window.size() == window_inodes_) co_return Result<void>();
    const auto& [key, value] = inodes_.record();
    CO_TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kInode, key));
    CO_TRY_ASSIGN(const records::Inode inode, DecodeRecord<records::Inode>(key, value));
    const std::string orphan_key = OrphanKey(volume_, parts.ino);
    while (true) {
      if (orphans_.needs_page()) {
        Result<void> read = co_await orphans_.ReadPage();
        CO_TRY(read);
      }
      if (orphans_.at_end() || orphans_.record().key >= orphan_key) break;
      orphans_.Advance();
    }
    window.Add(parts.ino, inode, !orphans_.at_end() && orphans_.record().key == orphan_key);
    last_ = parts.ino;
    inodes_.Advance();
  }
}

Task<Result<void>> NamePass::CountNames(NameWindow& window) {
  TableCursor names(snapshot_, TablePrefix(Table::kDentry, volume_));
  while (true) {
    if (names.needs_page()) {
      CO_TRY(log_.CheckGoing());
      Result<void> read = co_await names.ReadPage();
      CO_TRY(read);
    }
    if (names.at_end()) co_return Result<void>();
    const auto& [key, value] = names.record();
    CO_TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kDentry, key));
    CO_TRY_ASSIGN(const records::Dentry dentry, DecodeRecord<records::Dentry>(key, value));
    if (std::optional<proto::CheckFault> fault = window.Count(parts.ino, parts.name, dentry))
      log_.Add(std::move(*fault));
    log_.Advance(1);
    names.Advance();
  }
}

}  // namespace gabion
