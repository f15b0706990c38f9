#pragma once

#include <atomic>
#include <cstdint>

namespace gabion {

/// What fsync(2) of a directory has to know: whether changes that the metaserver has answered were lost with its
/// machine's power before they were synced. Of the whole volume, for syncing is; so the first who syncs a directory
/// after a loss is told, whichever it is. Any thread.
class UnsyncedNames {
 public:
  void NoteChange() { ++changes_; }
  /// Before it is asked to sync: what NoteSynced takes when it has.
  std::uint64_t changes() const { return changes_; }
  void NoteSynced(std::uint64_t changes) { Raise(changes); }
  /// The metaserver has lost what was not synced.
  void NoteLoss() {
    const std::uint64_t changes = changes_;
    if (Raise(changes)) lost_ = true;
  }
  /// Whether something was lost that nobody was told of.
  bool TakeLoss() { return lost_.exchange(false); }

 private:
  /// Whether that is more.
  bool Raise(std::uint64_t changes) {
    std::uint64_t synced = synced_;
    while (synced < changes) {
      if (synced_.compare_exchange_weak(synced, changes)) return true;
    }
    return false;
  }

  std::atomic<std::uint64_t> changes_ = 0;
  std::atomic<std::uint64_t> synced_ = 0;
  std::atomic<bool> lost_ = false;
};

}  // namespace gabion
