#include "fs-client/lease/known_names.h"

#include <algorithm>

#include "common/env/mutate.h"

namespace gabion {

void KnownNames::Learn(const std::string& name, const Entry& entry) {
  const auto held = names_.find(name);
  if (held != names_.end()) {
    if (held->second.number <= entry.number) Put(name, entry);
  } else if (entry.number >= floor_) {
    Put(name, entry);
  } else if (complete() && entry.ino && entry.number >= complete_from_) {
    Forget(floor_);  // it contradicts the listing, and may be later
  }
}

void KnownNames::Change(const std::string& name, const Entry& entry) {
  if (Mutated("lease.keep_touched")) return;
  const auto held = names_.find(name);
  if (held != names_.end()) {
    if (held->second.number <= entry.number) Put(name, entry);
  } else if (entry.number >= floor_) {
    Put(name, entry);
  } else if (complete() && entry.number >= complete_from_) {
    Forget(floor_);  // the listing may have seen it, or not
  }
}

void KnownNames::Forget(std::uint64_t number) {
  names_.clear();
  absent_ = 0;
  complete_from_ = listing_from_ = 0;
  floor_ = std::max(floor_, number);
}

bool KnownNames::BeginListing(std::uint64_t number) {
  if (number < floor_) return false;
  listing_from_ = number;
  return true;
}

void KnownNames::CompleteListing(std::uint64_t first, std::uint64_t last) {
  complete_from_ = first;
  listing_from_ = 0;
  floor_ = std::max(floor_, last);
  absent_ = 0;
  for (auto held = names_.begin(); held != names_.end();) {
    if (held->second.number < complete_from_) {
      held = names_.erase(held);
    } else {
      if (!held->second.ino) ++absent_;
      ++held;
    }
  }
}

void KnownNames::BeginEmpty(std::uint64_t number) {
  if (number < floor_ || !names_.empty()) return;
  floor_ = complete_from_ = number;
}

std::optional<KnownNames::Entry> KnownNames::Find(std::string_view name) const {
  if (auto held = names_.find(name); held != names_.end()) return held->second;
  if (complete()) return Entry{Ino(), 0, floor_};
  return std::nullopt;
}

void KnownNames::Put(const std::string& name, const Entry& entry) {
  auto [held, is_new] = names_.try_emplace(name, entry);
  if (!is_new) {
    if (!held->second.ino) --absent_;
    held->second = entry;
  }
  if (!entry.ino && ++absent_ > kMaxAbsent) DropAbsent();
}

/// What was shown before is then not taken in any more.
void KnownNames::DropAbsent() {
  for (auto held = names_.begin(); held != names_.end();) {
    if (held->second.ino) {
      ++held;
      continue;
    }
    floor_ = std::max(floor_, held->second.number);
    held = names_.erase(held);
  }
  absent_ = 0;
  listing_from_ = 0;  // its next page may be from before
}

}  // namespace gabion
