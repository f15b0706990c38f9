#include "fs-client/vfs/own_opens.h"

namespace gabion {

bool OwnOpens::Add(HandleId handle, Ino ino, TimePoint now) {
  std::lock_guard lock(mutex_);
  if (removing_.contains(ino) || removing_.contains(Ino())) return false;
  opens_[{ino, handle}].added = now;
  return true;
}

bool OwnOpens::Remove(HandleId handle, Ino ino) {
  std::lock_guard lock(mutex_);
  auto found = opens_.find({ino, handle});
  if (found == opens_.end()) return true;
  if (found->second.naming) {
    found->second.closed = true;
  } else {
    opens_.erase(found);
  }
  return false;
}

bool OwnOpens::Has(std::optional<Ino> ino) const {
  std::lock_guard lock(mutex_);
  if (!ino) return !opens_.empty();
  const auto first = opens_.lower_bound({*ino, HandleId()});
  return first != opens_.end() && first->first.first == *ino;
}

std::vector<proto::OpenHandle> OwnOpens::BeginNaming(std::optional<Ino> ino, TimePoint added_before) {
  std::vector<proto::OpenHandle> named;
  std::lock_guard lock(mutex_);
  auto next = ino ? opens_.lower_bound({*ino, HandleId()}) : opens_.begin();
  for (; next != opens_.end() && named.size() < kMaxNamed; ++next) {
    const auto& [of, handle] = next->first;
    if (ino && of != *ino) break;
    if (next->second.added >= added_before) continue;
    next->second.naming = true;
    proto::OpenHandle& open = named.emplace_back();
    open.set_handle_id(handle.value());
    open.set_ino(of.value());
  }
  return named;
}

std::vector<HandleId> OwnOpens::EndNaming(const std::vector<proto::OpenHandle>& handles, bool named) {
  std::vector<HandleId> closed;
  std::lock_guard lock(mutex_);
  for (const proto::OpenHandle& open : handles) {
    const HandleId handle(open.handle_id());
    auto found = opens_.find({Ino(open.ino()), handle});
    if (found == opens_.end()) continue;
    if (found->second.closed) closed.push_back(handle);
    if (named || found->second.closed) {
      opens_.erase(found);
    } else {
      found->second.naming = false;
    }
  }
  return closed;
}

void OwnOpens::NoteNamed() {
  std::lock_guard lock(mutex_);
  std::erase_if(opens_, [](const auto& item) { return !item.second.naming; });
}

OwnOpens::Removal::Removal(OwnOpens& opens, std::optional<Ino> ino) : opens_(opens), ino_(ino.value_or(Ino())) {
  std::lock_guard lock(opens_.mutex_);
  opens_.removing_.insert(ino_);
}

OwnOpens::Removal::~Removal() {
  std::lock_guard lock(opens_.mutex_);
  opens_.removing_.erase(opens_.removing_.find(ino_));
}

}  // namespace gabion
