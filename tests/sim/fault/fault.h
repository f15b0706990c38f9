#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tests/sim/fault/fault_scene.h"

namespace gabion {

/// One kind of trouble, each in the file of its name.
class Fault {
 public:
  virtual ~Fault() = default;

  virtual std::string_view name() const = 0;
  /// Whether it takes copies out of reach. A copy that rots must not be the only one left.
  virtual bool is_outage() const { return true; }
  /// Points of production code (common/env/buggify.h) that it is made for: they are taken often.
  virtual std::vector<std::string_view> rare_paths() const { return {}; }
  /// Those that must not be taken beside it, or more would be damaged than the design survives.
  virtual std::vector<std::string_view> forbidden_paths() const { return {}; }
  /// Hits something drawn at random, and undoes it after some seconds; nothing lasts. False if the budget has no room.
  virtual Task<bool> Strike(FaultScene& scene) = 0;
};

std::unique_ptr<Fault> MakeKill();      // kill -9 or SIGTERM of a server or of all of them, and its restart
std::unique_ptr<Fault> MakePower();     // servers lose power
std::unique_ptr<Fault> MakeCut();       // wires are cut, one way or both
std::unique_ptr<Fault> MakeReset();     // connections break
std::unique_ptr<Fault> MakeClog();      // wires stop one after the other and go on in another order
std::unique_ptr<Fault> MakeStall();     // a machine stands still for longer than a lease
std::unique_ptr<Fault> MakeSlow();      // slow disks, cold stores
std::unique_ptr<Fault> MakeRot();       // a bit of one copy turns over
std::unique_ptr<Fault> MakeFull();      // a disk fills up
std::unique_ptr<Fault> MakeEio();       // a disk fails
std::unique_ptr<Fault> MakeDamage();    // an index is damaged
std::unique_ptr<Fault> MakeAbsence();   // a client is away until others get what it held
std::unique_ptr<Fault> MakeDeaf();      // and so is a server, which does not hear of that
std::unique_ptr<Fault> MakeEviction();  // an administrator evicts a client

// Aimed at what members of a group know of each other.
std::unique_ptr<Fault> MakeIsland();    // a chunkserver reaches no server, but some clients
std::unique_ptr<Fault> MakeRift();      // a chunkserver does not reach another one
std::unique_ptr<Fault> MakeHalfway();   // a chunkserver dies with changes that are on some members only
std::unique_ptr<Fault> MakeLate();      // what was sent on a connection arrives after that was given up
std::unique_ptr<Fault> MakeSqueeze();   // a full server that hears little from the metaserver
std::unique_ptr<Fault> MakeGlimpse();   // what was seen of a change that is lost with its primary and its writer
std::unique_ptr<Fault> MakeBlackout();  // one chunkserver loses power, what it has being settled

/// By its name; null if there is none of that name.
std::unique_ptr<Fault> MakeFault(std::string_view name);

}  // namespace gabion
