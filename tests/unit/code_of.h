#pragma once

#include "common/base/result.h"

namespace gabion {

/// The code of a failure, kOk of a success.
template <typename T>
ErrorCode CodeOf(const Result<T>& result) {
  return result ? ErrorCode::kOk : result.error().code();
}

}  // namespace gabion
