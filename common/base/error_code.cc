#include "common/base/error_code.h"

#include "proto/common.pb.h"

namespace gabion {

std::string_view ToString(ErrorCode code) {
  int number = static_cast<int>(code);
  if (!proto::ErrorCode_IsValid(number)) return "UNKNOWN";
  std::string_view name = proto::ErrorCode_Name(number);
  name.remove_prefix(std::string_view("ERROR_CODE_").size());
  return name;
}

bool IsRetryable(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kOverloaded:
    case ErrorCode::kHeld:
      return true;
    default:
      return false;
  }
}

}  // namespace gabion
