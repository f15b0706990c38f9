#include "common/env/real/os_error.h"

#include <system_error>

namespace gabion {

Error OsError(std::string doing, int error_number, ErrorCode otherwise) {
  bool full = error_number == ENOSPC || error_number == EDQUOT;
  return {full ? ErrorCode::kNoSpace : otherwise,
          std::move(doing) + ": " + std::generic_category().message(error_number)};
}

}  // namespace gabion
