#include "chunkserver/store/pending_pages.h"

#include <algorithm>
#include <set>

#include "common/base/check.h"

namespace gabion {

PendingPages::Previous* PendingPages::InCurrent(PageKey page) {
  auto pages = generations_.find(current_);
  if (pages == generations_.end()) return nullptr;
  auto found = pages->second.find(page);
  return found == pages->second.end() ? nullptr : &found->second;
}

std::vector<const PageRecord*> PendingPages::Versions(PageKey page) const {
  std::vector<const PageRecord*> versions;
  for (auto pages = generations_.rbegin(); pages != generations_.rend(); ++pages) {
    auto found = pages->second.find(page);
    if (found != pages->second.end()) versions.push_back(&found->second.record);
  }
  return versions;
}

void PendingPages::Add(PageKey page, const PageRecord& before, bool has_key) {
  CHECK(generations_[current_].emplace(page, Previous{before, has_key}).second);
  ++size_;
}

void PendingPages::Load(std::uint64_t generation, PageKey page, const PageRecord& before, bool has_key) {
  if (generations_[generation].insert_or_assign(page, Previous{before, has_key}).second) ++size_;
  current_ = std::max(current_, generation + 1);
}

std::vector<std::uint64_t> PendingPages::Generations() const {
  std::set<std::uint64_t> numbers;
  for (const auto& [generation, pages] : generations_) numbers.insert(generation);
  for (const auto& [generation, keys] : holes_keys_) numbers.insert(generation);
  return {numbers.begin(), numbers.end()};
}

const PendingPages::Pages& PendingPages::PagesOf(std::uint64_t generation) const {
  static const Pages none;
  auto found = generations_.find(generation);
  return found == generations_.end() ? none : found->second;
}

const std::vector<PageKey>& PendingPages::HolesKeysOf(std::uint64_t generation) const {
  static const std::vector<PageKey> none;
  auto found = holes_keys_.find(generation);
  return found == holes_keys_.end() ? none : found->second;
}

void PendingPages::Remove(std::uint64_t generation, PageKey page) {
  auto pages = generations_.find(generation);
  CHECK(pages != generations_.end() && pages->second.erase(page) == 1);
  if (pages->second.empty()) generations_.erase(pages);
  --size_;
}

}  // namespace gabion
