#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "fs-client/lease/lease_cache.h"

namespace gabion {

/// A client with a session that was granted nothing yet.
class LeaseCacheTest : public testing::Test {
 protected:
  static constexpr TimePoint kNow{1'000'000'000'000};
  static constexpr TimePoint kUntil = kNow + std::chrono::seconds(9);
  static constexpr std::uint64_t kEra = 42;
  static constexpr Ino kFile{7}, kDirectory{8};

  static constexpr LeaseCache::Beside kLookup = LeaseCache::Beside::kLookup, kListing = LeaseCache::Beside::kListing;

  LeaseCacheTest() { cache_.Begin(Note(100), {}, kUntil); }

  static proto::Attr Attributes(std::uint64_t size, bool leased = true) {
    proto::Attr attr;
    attr.set_ino(kFile.value());
    attr.set_size(size);
    attr.set_leased(leased);
    return attr;
  }

  /// Of an answer that was asked for now.
  proto::LeaseNote Note(std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note;
    note.set_era(era);
    note.set_number(number);
    note.set_asked(cache_.generation());
    return note;
  }
  void Learn(std::uint64_t number, std::uint64_t size) { cache_.Learn(Note(number), Attributes(size), kNow); }
  void LearnEntry(std::uint64_t number, Ino ino) {
    cache_.LearnEntry(Note(number), kDirectory, "x", ino, S_IFREG, kNow);
  }
  std::optional<std::uint64_t> KnownSize(TimePoint now = kNow) {
    const std::optional<LeaseCache::Known> known = cache_.Find(kFile, now);
    return known ? std::optional(known->attr.size()) : std::nullopt;
  }
  std::optional<Ino> KnownEntry(TimePoint now = kNow) { return cache_.FindEntry(kDirectory, "x", now); }
  LeaseCache::KernelWork Recall(Ino ino, std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(ino.value());
    recall.set_number(number);
    recall.set_all_names(true);
    return cache_.RecalledWrite(recall).work;
  }
  std::optional<LeaseCache::Return> RecallWrite(std::uint64_t number) {
    proto::Recall recall;
    recall.set_ino(kFile.value());
    recall.set_number(number);
    recall.set_write(true);
    return cache_.RecalledWrite(recall).flushing;
  }
  LeaseCache::KernelWork Change(Ino ino, std::uint64_t number, std::uint64_t era = kEra) {
    proto::LeaseNote note = Note(number, era);
    note.add_changed(ino.value());
    return cache_.Changed(note, kNow);
  }
  /// The answer to an op of ours that made, or (no `ino`) removed a name.
  static proto::LeaseNote ChangeOfEntry(proto::LeaseNote note, const std::string& name, Ino ino) {
    note.add_changed(kDirectory.value());
    proto::ChangedEntry& entry = *note.add_entries();
    entry.set_directory(kDirectory.value());
    entry.set_name(name);
    entry.set_ino(ino.value());
    entry.set_mode(S_IFREG);
    return note;
  }
  LeaseCache::KernelWork ChangeEntry(std::uint64_t number, const std::string& name, Ino ino) {
    return cache_.Changed(ChangeOfEntry(Note(number), name, ino), kNow);
  }
  /// Of files without attributes.
  proto::ReadDirReply Page(std::uint64_t number, const std::vector<std::string>& names, bool end) {
    proto::ReadDirReply page;
    *page.mutable_note() = Note(number);
    page.set_entries_leased(true);
    page.set_end(end);
    for (const std::string& name : names) {
      proto::DirEntry& entry = *page.add_entries();
      entry.set_name(name);
      entry.set_ino(1000 + number);
      entry.set_mode(S_IFREG);
    }
    return page;
  }
  std::vector<std::string> Listed(bool with_attr = false) {
    std::vector<std::string> names;
    const std::optional<proto::ReadDirReply> page = cache_.ListEntries(kDirectory, "", 100, with_attr, kNow);
    if (!page) return {"(unknown)"};
    for (const proto::DirEntry& entry : page->entries()) names.push_back(entry.name());
    return names;
  }
  std::optional<Ino> Entry(const std::string& name) { return cache_.FindEntry(kDirectory, name, kNow); }

  LeaseCache cache_;
};

}  // namespace gabion
