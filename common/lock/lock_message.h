#pragma once

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/lock/range_locks.h"
#include "proto/meta.pb.h"

namespace gabion {

/// A lock that a session has or wants. The mode is not looked at further than exclusive or not. Errors:
/// kInvalidArgument.
Result<RangeLock> FromMessage(SessionId session, const proto::FileLock& message);
proto::FileLock ToMessage(Ino ino, const RangeLock& lock);

}  // namespace gabion
