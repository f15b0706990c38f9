#pragma once

#include "common/base/result.h"
#include "common/env/transport.h"

namespace gabion {

/// Errors travel as the frame's status, with their message in an ErrorDetail as its header.

/// Sets status and header. A message over kMaxErrorMessageBytes is cut.
inline constexpr std::size_t kMaxErrorMessageBytes = 2048;
void WriteError(const Error& error, Frame& frame);

/// The error of a frame whose status is not kOk, with whatever message can be read.
Error ReadError(const Frame& frame);

}  // namespace gabion
