#pragma once

#include <string>

namespace gabion {

/// One life of a machine's process, shared by everything it holds: its connections, disks and stores. When it ends they
/// fail, whatever the process still tries: so a killed server's objects can be stopped and destroyed in peace, while
/// the next life already works on what they left.
struct SimLife {
  std::string machine;
  unsigned boot = 0;     // raised by a power loss
  unsigned process = 0;  // raised by every kill
  bool alive = true;
};

}  // namespace gabion
