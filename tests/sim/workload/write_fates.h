#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/env/clock.h"
#include "tests/sim/workload/register_history.h"
#include "tests/sim/workload/spells.h"

namespace gabion {

/// What may have become of writes that nobody synced. What is promised (docs/leases.md):
///
/// - What was gathered is lost only if its client was away for about as long as its session lives, or a disk was full;
///   what others have seen is not.
/// - What was not synced is lost, beside that, if servers lost power.
/// - A loss is told: by the next fsync of each handle that was open then. One that succeeds says that nothing was lost
///   since the handle was told last, and nothing of that will be.
class WriteFates {
 public:
  explicit WriteFates(unsigned clients) : away_(clients) {}

  /// From Begin to End a client may not be heard of at the metaserver, or not hear of it.
  Spells& away(unsigned client) { return away_.at(client); }
  Spells& no_space() { return no_space_; }
  void PowerLost(TimePoint now) { power_losses_.push_back(now); }
  /// Clients may be told of a loss by power that is none.
  void DoubtPower() { power_doubted_ = true; }

  void Add(const RegisterOp& write, unsigned file);
  bool Knows(std::uint64_t value) const { return writes_.contains(value); }
  /// It has returned; none: without saying that it was done.
  void SetEnd(std::uint64_t value, std::optional<TimePoint> end);
  /// How many have returned.
  std::uint64_t ended() const { return ended_; }
  /// It is with the servers.
  void NoteSent(std::uint64_t value);
  /// It was synced as it was written.
  void NoteSynced(std::uint64_t value);
  /// An fsync of the file by the client (none: after everybody has flushed), begun when ended() was `ended_before`, has
  /// succeeded, through a handle that was told of losses, or opened, at `told`. Much may happen in one moment.
  void NoteFileSynced(std::optional<unsigned> client, unsigned file, std::uint64_t ended_before, TimePoint told);

  /// Whether the client may be told now that something is lost.
  bool MayHaveLost(unsigned client) const {
    return power_doubted_ || !power_losses_.empty() || !Absences(client).empty();
  }
  bool MayHaveLackedSpace() const { return !no_space_.empty(); }
  enum class Fate {
    kKept,
    kLostOrKept,    // with its client
    kLostForAWhile  // with the power: who has sent it, and is not sure that it arrived, sends it again
  };
  /// What may have become of what the write left behind, although nobody has overwritten it.
  Fate FateOf(std::uint64_t value) const;
  /// Whether later reads have to agree with this one.
  bool Binds(const RegisterOp& read) const;

 private:
  struct Write {
    RegisterOp op;
    unsigned file = 0;
    std::uint64_t ended_as = 0;  // 0: not yet
    TimePoint gathered_until;    // after that it is not lost with its client
    TimePoint unsynced_until;    // nor with the power
  };

  std::vector<Spells::Spell> Absences(unsigned client) const;
  /// Whether it may have been lost with its client, or for want of space, at `from` or later.
  bool MayBeLostByClient(const Write& write, TimePoint from) const;
  bool MayBeLostByPower(const Write& write, TimePoint from) const;

  std::vector<Spells> away_;
  Spells no_space_;
  std::vector<TimePoint> power_losses_;
  bool power_doubted_ = false;
  std::uint64_t ended_ = 0;
  std::map<std::uint64_t, Write> writes_;                                         // by value
  std::map<std::pair<unsigned, unsigned>, std::vector<std::uint64_t>> unsynced_;  // by client and file
};

}  // namespace gabion
