#pragma once

#include "common/base/result.h"
#include "common/env/clock.h"
#include "fs-client/fuse/init.h"

namespace gabion::fuse {

/// The first exchange on a fresh mount: reads INIT from `device`, answers it. Blocks the calling thread, which serves
/// nothing else yet, for up to `timeout`. Errors, for the user: kVersionMismatch, kDeadlineExceeded (the kernel sends
/// nothing), kIo.
Result<Negotiated> Handshake(int device, const InitOptions& options, Duration timeout);

}  // namespace gabion::fuse
