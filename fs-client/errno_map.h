#pragma once

#include "common/base/error_code.h"

namespace gabion {

/// What a program that called the kernel gets to see. Positive; EIO for what has no errno of its own.
int ToErrno(ErrorCode code);

}  // namespace gabion
