#include "fs-client/lease/told_entries.h"

#include <algorithm>
#include <limits>

namespace gabion {
namespace {

constexpr TimePoint kNever{std::numeric_limits<std::int64_t>::max()};

}  // namespace

bool ToldEntries::Add(Ino directory, const std::string& name, TimePoint until, TimePoint now) {
  if (size_ >= kMaxNames && now >= first_end_) PruneAll(now);
  auto found = directories_.find(directory);
  if (found == directories_.end() || !found->second.names.contains(name)) {
    if (size_ >= kMaxNames) return false;
    if (found != directories_.end() && found->second.names.size() >= kMaxPerDirectory) {
      if (now < found->second.first_end) return false;
      Prune(found->second, now);
      if (found->second.names.size() >= kMaxPerDirectory) return false;
    }
  }
  Put(directory, name, {until, ++last_});
  return true;
}

/// A name that was told twice is used until the later time.
void ToldEntries::Put(Ino ino, const std::string& name, const Told& told) {
  Directory& directory = directories_[ino];
  const auto [found, is_new] = directory.names.try_emplace(name, told);
  if (is_new) {
    ++size_;
    directory.first_end = directory.names.size() == 1 ? told.until : std::min(directory.first_end, told.until);
    first_end_ = size_ == 1 ? told.until : std::min(first_end_, told.until);
  } else {
    found->second.until = std::max(found->second.until, told.until);
    found->second.number = std::max(found->second.number, told.number);
  }
  until_ = std::max(until_, told.until);
}

void ToldEntries::Move(Ino from, const std::string& name, Ino to, const std::string& new_name) {
  auto directory = directories_.find(from);
  if (directory == directories_.end()) return;
  auto found = directory->second.names.find(name);
  if (found == directory->second.names.end()) return;
  const Told told = found->second;
  Put(to, new_name, told);
}

std::vector<Ino> ToldEntries::Directories() const {
  std::vector<Ino> inodes;
  inodes.reserve(directories_.size());
  for (const auto& [ino, directory] : directories_) inodes.push_back(ino);
  return inodes;
}

TimePoint ToldEntries::UntilOf(Ino directory, const std::string& name) const {
  auto found = directories_.find(directory);
  if (found == directories_.end()) return TimePoint();
  auto told = found->second.names.find(name);
  return told == found->second.names.end() ? TimePoint() : told->second.until;
}

ToldEntries::Names ToldEntries::Of(Ino directory, const std::optional<std::set<std::string>>& names,
                                   std::uint64_t up_to, TimePoint now) {
  Names told;
  auto found = directories_.find(directory);
  if (found == directories_.end()) return told;
  Prune(found->second, now);
  for (const auto& [name, entry] : found->second.names) {
    if (entry.number > up_to || (names && !names->contains(name))) continue;
    told.names.push_back(name);
    told.until = std::max(told.until, entry.until);
  }
  if (found->second.names.empty()) directories_.erase(found);
  return told;
}

void ToldEntries::Remove(Ino directory, const std::vector<std::string>& names, std::uint64_t up_to) {
  auto found = directories_.find(directory);
  if (found == directories_.end()) return;
  for (const std::string& name : names) {
    auto told = found->second.names.find(name);
    if (told == found->second.names.end() || told->second.number > up_to) continue;
    found->second.names.erase(told);
    --size_;
  }
  if (found->second.names.empty()) directories_.erase(found);
}

void ToldEntries::Prune(Directory& directory, TimePoint now) {
  size_ -= std::erase_if(directory.names, [&](const auto& entry) { return entry.second.until <= now; });
  directory.first_end = kNever;
  for (const auto& [name, told] : directory.names) directory.first_end = std::min(directory.first_end, told.until);
}

void ToldEntries::PruneAll(TimePoint now) {
  first_end_ = kNever;
  for (auto& [ino, directory] : directories_) {
    Prune(directory, now);
    first_end_ = std::min(first_end_, directory.first_end);
  }
  std::erase_if(directories_, [](const auto& entry) { return entry.second.names.empty(); });
}

}  // namespace gabion
