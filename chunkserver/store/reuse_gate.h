#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "chunkserver/store/block_run.h"
#include "common/base/ids.h"

namespace gabion {

/// Holds freed blocks back until nobody can want their bytes any more: until the commit that freed them is durable (a
/// power loss before it would bring the old record back) and until the reads that began before it have ended. Pure
/// memory, not thread-safe.
class ReuseGate {
 public:
  using Ticket = std::uint64_t;

  /// A read begins: blocks freed from now on stay as they are until EndRead.
  Ticket BeginRead();
  void EndRead(Ticket ticket);

  /// `run` was freed by commit `seq`; a `seq` of 0 needs no durability.
  void Add(BlockRun run, CommitSeq seq);
  /// Commits up to `seq` are durable.
  void Durable(CommitSeq seq);
  std::uint64_t held_blocks() const { return held_blocks_; }

  /// The runs that may be reused now; each is given once.
  std::vector<BlockRun> TakeReusable();

 private:
  struct Held {
    BlockRun run;
    CommitSeq seq;
    Ticket reads_before;  // reads with smaller tickets may still look at it
  };

  Ticket next_ticket_ = 1;
  std::map<Ticket, int> reads_;
  std::deque<Held> held_;  // in the order of their freeing
  std::uint64_t held_blocks_ = 0;
  CommitSeq durable_;
};

}  // namespace gabion
