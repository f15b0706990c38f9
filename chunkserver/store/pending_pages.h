#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "chunkserver/store/index_key.h"
#include "chunkserver/store/page_record.h"

namespace gabion {

/// Which pages changed since the slabs were last synced, and what they were before (docs/formats/chunk_index.md,
/// "Previous pages"). A generation is the time between the starts of two slab syncs; a page has at most one previous
/// record in each. Mirrors the tables P and Q of the index. Pure memory, not thread-safe.
class PendingPages {
 public:
  struct Previous {
    PageRecord record;
    bool has_key = false;  // a record of kPreviousTable; else kPreviousHolesTable covers it
  };
  using Pages = std::map<PageKey, Previous>;

  /// The generation in which changes are recorded now.
  std::uint64_t current() const { return current_; }
  /// From now on changes belong to the next generation; returns the one that ended.
  std::uint64_t StartNext() { return current_++; }

  /// `page` as it was before its first change in the current generation; null if it has not changed in it.
  Previous* InCurrent(PageKey page);
  /// All previous records of `page`, newest generation first.
  std::vector<const PageRecord*> Versions(PageKey page) const;
  /// Records `before` for the current generation, where there is none for this page.
  void Add(PageKey page, const PageRecord& before, bool has_key);
  /// At start: what the index has, the table Q before P. Later changes belong to a newer generation.
  void Load(std::uint64_t generation, PageKey page, const PageRecord& before, bool has_key);
  /// Notes that the index has a record of kPreviousHolesTable.
  void AddHolesKey(PreviousKey key) { holes_keys_[key.generation].push_back(key.page); }

  /// Generations that have anything, oldest first.
  std::vector<std::uint64_t> Generations() const;
  /// Of one generation; empty if it has none.
  const Pages& PagesOf(std::uint64_t generation) const;
  const std::vector<PageKey>& HolesKeysOf(std::uint64_t generation) const;
  void Remove(std::uint64_t generation, PageKey page);
  void DropHolesKeys(std::uint64_t generation) { holes_keys_.erase(generation); }

  /// Records of all generations.
  std::size_t size() const { return size_; }

 private:
  std::uint64_t current_ = 1;
  std::map<std::uint64_t, Pages> generations_;  // none of them empty
  std::map<std::uint64_t, std::vector<PageKey>> holes_keys_;
  std::size_t size_ = 0;
};

}  // namespace gabion
