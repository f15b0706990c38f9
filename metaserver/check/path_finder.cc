#include "metaserver/check/path_finder.h"

#include "metaserver/check/table_cursor.h"
#include "metaserver/op/inode.h"
#include "metaserver/store/key_codec.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

Task<Result<void>> PathFinder::FindNames(std::set<Ino> wanted) {
  TableCursor names(snapshot_, TablePrefix(Table::kDentry, volume_));
  while (!wanted.empty()) {
    if (names.needs_page()) {
      Result<void> read = co_await names.ReadPage();
      CO_TRY(read);
    }
    if (names.at_end()) break;
    const auto& [key, value] = names.record();
    CO_TRY_ASSIGN(const records::Dentry dentry, DecodeRecord<records::Dentry>(key, value));
    if (wanted.erase(Ino(dentry.ino())) > 0) {
      CO_TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kDentry, key));
      places_[Ino(dentry.ino())] = Place{parts.ino, std::string(parts.name)};
    }
    names.Advance();
  }
  co_return Result<void>();
}

Task<Result<std::optional<PathFinder::Place>>> PathFinder::FindDirectory(Ino ino) {
  TableCursor inode(snapshot_, InodeKey(volume_, ino));
  Result<void> read = co_await inode.ReadPage();
  CO_TRY(read);
  if (inode.at_end()) co_return std::optional<Place>();
  CO_TRY_ASSIGN(const records::Inode record, DecodeRecord<records::Inode>(inode.record().key, inode.record().value));
  if (!IsDirectory(record)) co_return std::optional<Place>();
  const Ino parent(record.parent());
  TableCursor names(snapshot_, DentryPrefix(volume_, parent));
  while (true) {
    if (names.needs_page()) {
      read = co_await names.ReadPage();
      CO_TRY(read);
    }
    if (names.at_end()) co_return std::optional<Place>();
    const auto& [key, value] = names.record();
    CO_TRY_ASSIGN(const records::Dentry dentry, DecodeRecord<records::Dentry>(key, value));
    if (Ino(dentry.ino()) == ino) {
      CO_TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kDentry, key));
      co_return Place{parent, std::string(parts.name)};
    }
    names.Advance();
  }
}

Task<Result<std::string>> PathFinder::PathOf(Ino ino) {
  std::string path;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    if (ino == kRootIno) co_return path.empty() ? std::string("/") : path;
    auto known = places_.find(ino);
    if (known == places_.end()) {
      Result<std::optional<Place>> found = co_await FindDirectory(ino);
      CO_TRY_ASSIGN(std::optional<Place> place, std::move(found));
      known = places_.emplace(ino, std::move(place)).first;
    }
    if (!known->second) break;
    path.insert(0, "/" + known->second->name);
    if (path.size() > kMaxPathBytes) break;
    ino = known->second->parent;
  }
  co_return std::string();
}

}  // namespace gabion
