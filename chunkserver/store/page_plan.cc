#include "chunkserver/store/page_plan.h"

#include <algorithm>
#include <array>

namespace gabion {
namespace {

// A page's few records of one place.
class Addresses {
 public:
  void Add(BlockAddress address) {
    if (address != kHole && !Has(address)) items_.push_back(address);
  }
  bool Has(BlockAddress address) const { return std::find(items_.begin(), items_.end(), address) != items_.end(); }
  const std::vector<BlockAddress>& items() const { return items_; }

 private:
  std::vector<BlockAddress> items_;
};

bool HasNewBytes(const PageChange& change) {
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    const BlockEntry& after = change.after.blocks[i];
    if (!after.is_hole() && after.address != change.before.blocks[i].address) return true;
  }
  return false;
}

}  // namespace

void PlanPageChange(const PageChange& change, bool data_is_durable, PendingPages& pending, ReferencePlan& plan) {
  const PendingPages::Previous* current = pending.InCurrent(change.key);
  bool is_new = current == nullptr && !data_is_durable && HasNewBytes(change);
  bool has_previous = current != nullptr || is_new;
  if (is_new && pending.Versions(change.key).empty() && change.before.all_holes()) {
    // A page written for the first time, as in every stream: no references change.
    plan.previous.push_back({change.key, change.before, true});
    for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
      if ((change.shared & (1u << i)) != 0) plan.added.push_back(change.after.blocks[i].address);
    }
    return;
  }

  PageRecord previous = current != nullptr ? current->record : change.before;
  bool previous_changed = is_new;
  std::vector<const PageRecord*> versions = pending.Versions(change.key);
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    const BlockEntry& before = change.before.blocks[i];
    const BlockEntry& after = change.after.blocks[i];
    if (before.address == after.address) continue;
    Addresses old_references;
    Addresses new_references;
    old_references.Add(before.address);
    new_references.Add(after.address);
    for (const PageRecord* version : versions) {
      old_references.Add(version->blocks[i].address);
      if (current == nullptr || version != &current->record) new_references.Add(version->blocks[i].address);
    }
    if (has_previous && (after.is_hole() || data_is_durable) && previous.blocks[i] != after) {
      previous.blocks[i] = after;
      previous_changed = true;
    }
    if (has_previous) new_references.Add(previous.blocks[i].address);
    for (BlockAddress address : old_references.items()) {
      if (!new_references.Has(address)) plan.dropped.push_back(address);
    }
    bool counted = old_references.Has(after.address);
    if (!counted && (change.shared & (1u << i)) != 0) plan.added.push_back(after.address);
  }
  if (previous_changed) plan.previous.push_back({change.key, previous, is_new});
}

void PlanPreviousEnd(const PageRecord& ended, const std::vector<const PageRecord*>& staying, ReferencePlan& plan) {
  for (std::size_t i = 0; i < kBlocksPerPage; ++i) {
    BlockAddress address = ended.blocks[i].address;
    if (address == kHole) continue;
    bool stays = std::any_of(staying.begin(), staying.end(),
                             [&](const PageRecord* record) { return record->blocks[i].address == address; });
    if (!stays) plan.dropped.push_back(address);
  }
}

}  // namespace gabion
