#pragma once

#include "metaserver/check/check_run.h"

namespace gabion {

/// Repairs what can be repaired of a finished check's faults, one after the other, and notes at each what came of it.
/// Errors: kUnavailable, kIo of the store; kCancelled.
Task<Result<void>> RunRepair(CheckContext& context, CheckLog& log);

}  // namespace gabion
