#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "proto/meta.pb.h"

namespace gabion {

/// The handles that the client opened by itself, under leases, and that the metaserver does not know (docs/leases.md,
/// "Opening files"). They keep their files as long as the leases last: before a lease is returned, and before an op of
/// our own takes a file's last name, they are named to the metaserver. Inode numbers are its. Any thread.
class OwnOpens {
 public:
  /// So many are named in one request.
  static constexpr std::size_t kMaxNamed = 1024;

  /// The handle is about to be opened: whether there is a lease is looked up after this. False: the metaserver has to
  /// open it, for an op of our own may be removing the file.
  bool Add(HandleId handle, Ino ino, TimePoint now);
  /// It is closed, or could not be opened. Whether the metaserver has to hear of that, as of all handles that are not
  /// here; of one that is just being named it hears after that (EndNaming).
  bool Remove(HandleId handle, Ino ino);

  /// Whether there are any, of one file or (no `ino`) of all.
  bool Has(std::optional<Ino> ino) const;
  /// Those of them that were added before then, kMaxNamed at most, are about to be named. One naming at a time.
  std::vector<proto::OpenHandle> BeginNaming(std::optional<Ino> ino, TimePoint added_before);
  /// They were, or (not `named`) may have been. Those that were closed meanwhile: the metaserver has to hear of it.
  std::vector<HandleId> EndNaming(const std::vector<proto::OpenHandle>& handles, bool named);
  /// A session is being resumed, and names everything that is open.
  void NoteNamed();

  /// While it lives, an op of our own that may remove the file, or (no `ino`) any file, is being named for and sent.
  class [[nodiscard]] Removal {
   public:
    Removal(OwnOpens& opens, std::optional<Ino> ino);
    Removal(const Removal&) = delete;
    Removal& operator=(const Removal&) = delete;
    ~Removal();

   private:
    OwnOpens& opens_;
    const Ino ino_;  // none: any
  };

 private:
  struct Own {
    TimePoint added;
    bool naming = false;
    bool closed = false;  // while it is being named
  };
  using Key = std::pair<Ino, HandleId>;

  mutable std::mutex mutex_;
  std::map<Key, Own> opens_;
  std::multiset<Ino> removing_;
};

}  // namespace gabion
