#include "common/rpc/identity.h"

namespace gabion {

std::string SoftwareVersion() {
  return "gabion 0.1.0";
}

}  // namespace gabion
