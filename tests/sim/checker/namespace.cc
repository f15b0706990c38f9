#include <fmt/format.h>
#include <sys/stat.h>

#include "tests/sim/checker/checker.h"
#include "tests/sim/checker/stored_meta.h"

namespace gabion {
namespace {

class NamespaceCheck {
 public:
  explicit NamespaceCheck(SimCluster& cluster) : meta_(cluster), problems_(meta_.problems) {}

  std::string Run() {
    CheckDentries();
    for (const auto& [ino, inode] : meta_.inodes) {
      S_ISDIR(inode.mode()) ? CheckDirectory(ino, inode) : CheckFile(ino, inode);
      CheckCounts(ino, inode);
    }
    for (const auto& [place, chunk] : meta_.chunks) CheckOwner("chunk", place.first);
    for (const auto& [ino, count] : meta_.xattrs) CheckOwner("xattr", ino);
    if (meta_.stats.inodes() != meta_.inodes.size()) {
      Problem(fmt::format("{} inodes, but the statistics say {}", meta_.inodes.size(), meta_.stats.inodes()));
    }
    return problems_;
  }

 private:
  void Problem(const std::string& what) { problems_ += what + "\n"; }

  void CheckDentries() {
    for (const auto& [place, dentry] : meta_.dentries) {
      const auto& [parent, name] = place;
      const Ino ino(dentry.ino());
      const auto inode = meta_.inodes.find(ino);
      const std::string what = fmt::format("name {} in directory {}", name, parent.value());
      if (!meta_.inodes.contains(parent)) Problem(what + ": there is no such directory");
      ++entries_[parent];
      ++names_[ino];
      if (inode == meta_.inodes.end()) {
        Problem(fmt::format("{} leads to inode {}, which is not there", what, ino.value()));
        continue;
      }
      if ((inode->second.mode() & S_IFMT) != dentry.type_mode()) Problem(what + " has another type than its inode");
      if (!S_ISDIR(inode->second.mode())) continue;
      ++subdirectories_[parent];
      if (Ino(inode->second.parent()) != parent) Problem(what + " is a directory that thinks it is elsewhere");
    }
  }

  void CheckDirectory(Ino ino, const records::Inode& inode) {
    const bool is_removed = inode.nlink() == 0;
    const std::uint64_t names = ino == kRootIno || is_removed ? 0 : 1;
    const std::uint64_t nlink = is_removed ? 0 : 2 + subdirectories_[ino];
    CheckEqual("names of directory", ino, names_[ino], names);
    CheckEqual("nlink of directory", ino, inode.nlink(), nlink);
    CheckEqual("entries of directory", ino, inode.entries(), entries_[ino]);
    if (is_removed) CheckIsOrphan(ino);
  }

  void CheckFile(Ino ino, const records::Inode& inode) {
    CheckEqual("nlink of file", ino, inode.nlink(), names_[ino]);
    if (inode.nlink() == 0) CheckIsOrphan(ino);
  }

  void CheckIsOrphan(Ino ino) {
    if (!meta_.orphans.contains(ino)) Problem(fmt::format("inode {} has no name and is no orphan", ino.value()));
  }

  void CheckCounts(Ino ino, const records::Inode& inode) {
    const auto first = meta_.chunks.lower_bound({ino, 0});
    const auto last = meta_.chunks.lower_bound({ino.next(), 0});
    CheckEqual("mapped chunks of inode", ino, inode.mapped_chunks(),
               static_cast<std::uint64_t>(std::distance(first, last)));
    const auto xattrs = meta_.xattrs.find(ino);
    CheckEqual("xattrs of inode", ino, inode.xattrs(), xattrs == meta_.xattrs.end() ? 0 : xattrs->second);
  }

  void CheckOwner(const char* what, Ino ino) {
    if (meta_.inodes.contains(ino) || meta_.reclaims.contains(ino)) return;
    Problem(fmt::format("a {} record belongs to inode {}, which is not there", what, ino.value()));
  }

  void CheckEqual(const char* what, Ino ino, std::uint64_t got, std::uint64_t wanted) {
    if (got != wanted) Problem(fmt::format("{} {}: {} instead of {}", what, ino.value(), got, wanted));
  }

  const StoredMeta meta_;
  std::string problems_;
  std::map<Ino, std::uint64_t> names_;           // dentries that lead to the inode
  std::map<Ino, std::uint64_t> entries_;         // dentries in the directory
  std::map<Ino, std::uint64_t> subdirectories_;  // those of them that are directories
};

}  // namespace

std::string CheckNamespace(SimCluster& cluster) {
  return NamespaceCheck(cluster).Run();
}

}  // namespace gabion
