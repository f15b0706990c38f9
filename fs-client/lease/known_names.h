#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace gabion {

/// What is known of one directory's entries under a lease on it: of single names whether they are there, and if it is
/// *complete*, that there are no others. Pure.
///
/// While the lease is held nobody changes the directory but this client, whose ops tell in their answers what they did.
/// Answers come in any order, and each has a number that says where it belongs: what is known of a name gives way only
/// to something later. Of names that are not held there are two numbers for the whole directory: what was shown before
/// `floor` is old, and what was shown before `complete_from` is in a complete listing already. Between the two nobody
/// can tell; if an answer from there says otherwise than what is known, all is forgotten.
class KnownNames {
 public:
  struct Entry {
    Ino ino;                 // none: there is no such name
    std::uint32_t mode = 0;  // type bits
    std::uint64_t number = 0;
  };
  using Map = std::map<std::string, Entry, std::less<>>;

  /// So many names that are known to be absent are held at most.
  static constexpr std::size_t kMaxAbsent = 1024;

  /// A look at the directory showed it.
  void Learn(const std::string& name, const Entry& entry);
  /// An op of this client made it so.
  void Change(const std::string& name, const Entry& entry);
  /// Forgets all names; what was shown before that number is not taken in any more.
  void Forget(std::uint64_t number);

  /// A listing begins with an answer of that number, whose names and those of all later pages are learned. Whether it
  /// may become complete. Of several that are under way, the last may.
  bool BeginListing(std::uint64_t number);
  /// Whether the listing that began with that number is still whole: nothing was forgotten since.
  bool IsListing(std::uint64_t number) const { return number != 0 && listing_from_ == number; }
  /// The listing has all names now; its first and last page had these numbers. What it has not shown is not there.
  void CompleteListing(std::uint64_t first, std::uint64_t last);
  /// An op of this client made the directory, which is empty.
  void BeginEmpty(std::uint64_t number);

  bool complete() const { return complete_from_ != 0; }
  /// None: not known.
  std::optional<Entry> Find(std::string_view name) const;
  /// Absent ones among them.
  const Map& names() const { return names_; }
  std::size_t size() const { return names_.size(); }

 private:
  void Put(const std::string& name, const Entry& entry);
  void DropAbsent();

  Map names_;
  std::size_t absent_ = 0;  // of names_
  std::uint64_t floor_ = 0;
  std::uint64_t complete_from_ = 0;  // 0: not complete
  std::uint64_t listing_from_ = 0;   // 0: none
};

}  // namespace gabion
