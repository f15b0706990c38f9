#pragma once

#include "fs-client/vfs/root_map.h"
#include "fs-client/vfs/vfs.h"
#include "proto/meta.pb.h"

namespace gabion {

/// What the metaserver says of an inode, with the kernel's number of it. Pure.
inline FileAttr ToFileAttr(const proto::Attr& attr, const RootMap& root) {
  FileAttr file;
  file.ino = root.ToKernel(Ino(attr.ino()));
  file.mode = attr.mode();
  file.nlink = attr.nlink();
  file.uid = attr.uid();
  file.gid = attr.gid();
  file.rdev = attr.rdev();
  file.size = attr.size();
  file.used_bytes = attr.used_bytes();
  file.atime_ns = attr.atime_ns();
  file.mtime_ns = attr.mtime_ns();
  file.ctime_ns = attr.ctime_ns();
  file.btime_ns = attr.btime_ns();
  return file;
}

}  // namespace gabion
