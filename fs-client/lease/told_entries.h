#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"

namespace gabion {

/// Which entries the kernel was told, absent ones too, and uses until a recall of their directory has it forget them
/// (docs/leases.md, "The kernel"). An entry is one whatever its lease has become meanwhile: it counts until the kernel
/// has forgotten it, or its time is over. All times are of LeaseCache::Running. Pure.
class ToldEntries {
 public:
  /// A recall has the kernel forget them one by one, a few microseconds each.
  static constexpr std::size_t kMaxPerDirectory = 4096;
  /// Of all directories; some 150 bytes each.
  static constexpr std::size_t kMaxNames = 131072;

  struct Names {
    std::vector<std::string> names;
    TimePoint until;  // of the last
  };

  /// False, and it must not be told: there are too many.
  bool Add(Ino directory, const std::string& name, TimePoint until, TimePoint now);
  /// The kernel moves an entry, or is about to, and its time goes along. Both names count from now on.
  void Move(Ino from, const std::string& name, Ino to, const std::string& new_name);

  /// The number of the last Add.
  std::uint64_t last() const { return last_; }
  bool Has(Ino directory) const { return directories_.contains(directory); }
  std::vector<Ino> Directories() const;
  /// Until when it is used; the epoch if it was not told.
  TimePoint UntilOf(Ino directory, const std::string& name) const;
  /// Of all, or those with these names: what was told up to that number and whose time is not over.
  Names Of(Ino directory, const std::optional<std::set<std::string>>& names, std::uint64_t up_to, TimePoint now);
  /// The kernel has forgotten them, if they were told up to that number.
  void Remove(Ino directory, const std::vector<std::string>& names, std::uint64_t up_to);
  /// No entry is used after it.
  TimePoint until() const { return until_; }

 private:
  struct Told {
    TimePoint until;
    std::uint64_t number = 0;
  };
  struct Directory {
    std::map<std::string, Told> names;
    TimePoint first_end;  // nobody's time is over before it
  };

  void Put(Ino ino, const std::string& name, const Told& told);
  /// Forgets those whose time is over.
  void Prune(Directory& directory, TimePoint now);
  void PruneAll(TimePoint now);

  std::unordered_map<Ino, Directory> directories_;  // none of them empty
  std::size_t size_ = 0;
  TimePoint first_end_;  // of all
  TimePoint until_;
  std::uint64_t last_ = 0;
};

}  // namespace gabion
