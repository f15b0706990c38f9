#include "metaserver/check/check_log.h"

#include <algorithm>
#include <utility>

namespace gabion {

namespace {

/// Of faults in one answer: with one more, of the longest path, it still fits a frame's header.
constexpr std::size_t kMaxReplyBytes = 512 * 1024;

}  // namespace

proto::CheckFault MakeFault(proto::CheckFaultKind kind, VolumeId volume, Ino ino) {
  proto::CheckFault fault;
  fault.set_kind(kind);
  fault.set_volume_id(volume.value());
  fault.set_ino(ino.value());
  return fault;
}

proto::CheckFault MakeCountFault(proto::CheckFaultKind kind, VolumeId volume, Ino ino, std::uint64_t recorded,
                                 std::uint64_t found) {
  proto::CheckFault fault = MakeFault(kind, volume, ino);
  fault.set_recorded(recorded);
  fault.set_found(found);
  fault.set_repair(proto::CHECK_REPAIR_POSSIBLE);
  return fault;
}

void CheckLog::BeginPhase(std::string phase, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  phase_ = std::move(phase);
  total_ = total;
  done_ = 0;
}

void CheckLog::Advance(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
}

void CheckLog::CountInodes(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  inodes_ += count;
}

void CheckLog::CountNames(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  names_ += count;
}

void CheckLog::CountChunks(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  chunks_ += count;
}

void CheckLog::Add(proto::CheckFault fault) {
  const std::lock_guard lock(mutex_);
  ++counts_[fault.kind()];
  if (faults_.size() < kMaxFaults) faults_.push_back(std::move(fault));
}

void CheckLog::CountUnwritten(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  unwritten_ += count;
}

void CheckLog::AddUnchecked(std::string what) {
  const std::lock_guard lock(mutex_);
  if (unchecked_.size() < kMaxUnchecked) unchecked_.insert(std::move(what));
}

void CheckLog::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
}

Result<void> CheckLog::CheckGoing() const {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return Error(ErrorCode::kCancelled, "the check was cancelled");
  return {};
}

void CheckLog::Fill(std::uint64_t first, std::uint64_t count, proto::CheckStatusReply& reply) const {
  const std::lock_guard lock(mutex_);
  reply.set_phase(phase_);
  if (total_ > 0) reply.set_percent(static_cast<std::uint32_t>(std::min<std::uint64_t>(done_ * 100 / total_, 100)));
  reply.set_inodes(inodes_);
  reply.set_names(names_);
  reply.set_chunks(chunks_);
  reply.set_unwritten_chunks(unwritten_);
  reply.set_kept_faults(faults_.size());
  for (const auto& [kind, found] : counts_) {
    proto::CheckFaultCount* entry = reply.add_counts();
    entry->set_kind(kind);
    entry->set_count(found);
  }
  std::size_t bytes = 0;
  for (std::uint64_t i = first; i < faults_.size() && i - first < count && bytes < kMaxReplyBytes; ++i) {
    *reply.add_faults() = faults_[i];
    bytes += faults_[i].ByteSizeLong();
  }
  for (const std::string& what : unchecked_) reply.add_unchecked(what);
  reply.set_repaired(static_cast<std::uint64_t>(std::count_if(
      faults_.begin(), faults_.end(), [](const auto& fault) { return fault.repair() == proto::CHECK_REPAIR_DONE; })));
}

std::vector<proto::CheckFault> CheckLog::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void CheckLog::Replace(std::size_t index, proto::CheckFault fault) {
  const std::lock_guard lock(mutex_);
  faults_.at(index) = std::move(fault);
}

std::uint64_t CheckLog::fault_count() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  for (const auto& [kind, found] : counts_) count += found;
  return count;
}

bool CheckLog::is_complete() const {
  const std::lock_guard lock(mutex_);
  return unchecked_.empty();
}

}  // namespace gabion
