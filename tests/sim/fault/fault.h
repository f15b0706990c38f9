#pragma once

#include <memory>
#include <string_view>

#include "tests/sim/fault/fault_scene.h"

namespace gabion {

/// One kind of trouble, each in the file of its name.
class Fault {
 public:
  virtual ~Fault() = default;

  virtual std::string_view name() const = 0;
  /// Whether it takes copies out of reach. A copy that rots must not be the only one left.
  virtual bool is_outage() const { return true; }
  /// Hits something drawn at random, and undoes it after some seconds; nothing lasts. False if the budget has no room.
  virtual Task<bool> Strike(FaultScene& scene) = 0;
};

std::unique_ptr<Fault> MakeKill();    // kill -9 or SIGTERM of a server or of all of them, and its restart
std::unique_ptr<Fault> MakePower();   // servers lose power
std::unique_ptr<Fault> MakeCut();     // wires are cut, one way or both
std::unique_ptr<Fault> MakeReset();   // connections break
std::unique_ptr<Fault> MakeClog();    // wires stop one after the other and go on in another order
std::unique_ptr<Fault> MakeStall();   // a machine stands still for longer than a lease
std::unique_ptr<Fault> MakeSlow();    // slow disks, cold stores
std::unique_ptr<Fault> MakeRot();     // a bit of one copy turns over
std::unique_ptr<Fault> MakeFull();    // a disk fills up
std::unique_ptr<Fault> MakeEio();     // a disk fails
std::unique_ptr<Fault> MakeDamage();  // an index is damaged

/// By its name; null if there is none of that name.
std::unique_ptr<Fault> MakeFault(std::string_view name);

}  // namespace gabion
