#pragma once

#include "common/base/ids.h"

namespace gabion {

/// A mount of a subdirectory: its directory is inode 1 for the kernel, whatever the metaserver calls it. The volume's
/// own root is not reachable from such a mount, so its number is free. Pure.
class RootMap {
 public:
  RootMap() = default;
  explicit RootMap(Ino root) : root_(root) {}

  Ino ToServer(Ino kernel) const { return kernel == kRootIno ? root_ : kernel; }
  Ino ToKernel(Ino server) const { return server == root_ ? kRootIno : server; }
  /// Whether the kernel's inode is the mount's root, above which there is nothing.
  bool IsRoot(Ino kernel) const { return kernel == kRootIno; }

 private:
  Ino root_ = kRootIno;
};

}  // namespace gabion
