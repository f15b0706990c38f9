#pragma once

#include "fs-client/fuse/launch.h"
#include "fs-client/fuse/reply.h"
#include "fs-client/fuse/request.h"
#include "fs-client/fuse/request_table.h"
#include "fs-client/vfs/vfs.h"

namespace gabion::fuse {

/// A request on its way through its coroutine.
struct Request {
  RequestHeader header;
  Reply reply;
  RequestTable::Place place;
};

/// The coroutine of a request: calls the Vfs, replies once. Takes what it needs of `operation` (views of the
/// transport's memory) before its first suspension. `vfs` outlives it.
RequestTask Serve(Vfs& vfs, Request request, const Operation& operation);

}  // namespace gabion::fuse
