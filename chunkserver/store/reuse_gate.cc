#include "chunkserver/store/reuse_gate.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {

ReuseGate::Ticket ReuseGate::BeginRead() {
  // Reads between two frees share a ticket.
  ++reads_[next_ticket_];
  return next_ticket_;
}

void ReuseGate::EndRead(Ticket ticket) {
  auto found = reads_.find(ticket);
  CHECK(found != reads_.end());
  if (--found->second == 0) reads_.erase(found);
}

void ReuseGate::Add(BlockRun run, CommitSeq seq) {
  if (!reads_.empty() && reads_.rbegin()->first == next_ticket_) ++next_ticket_;
  held_blocks_ += run.count;
  held_.push_back({run, seq, next_ticket_});
}

void ReuseGate::Durable(CommitSeq seq) {
  durable_ = std::max(durable_, seq);
}

std::vector<BlockRun> ReuseGate::TakeReusable() {
  std::vector<BlockRun> runs;
  Ticket oldest_read = reads_.empty() ? UINT64_MAX : reads_.begin()->first;
  // In order: one entry that waits holds up those after it, which wait for about the same.
  while (!held_.empty() && held_.front().seq <= durable_ && held_.front().reads_before <= oldest_read) {
    runs.push_back(held_.front().run);
    held_blocks_ -= held_.front().run.count;
    held_.pop_front();
  }
  return runs;
}

}  // namespace gabion
