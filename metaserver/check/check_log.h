#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "proto/admin.pb.h"

namespace gabion {

proto::CheckFault MakeFault(proto::CheckFaultKind kind, VolumeId volume, Ino ino);
proto::CheckFault MakeCountFault(proto::CheckFaultKind kind, VolumeId volume, Ino ino, std::uint64_t recorded,
                                 std::uint64_t found);

/// What a check has looked at and found, for its passes to write and for administrators to read meanwhile. Any thread.
class CheckLog {
 public:
  /// Faults that are kept one by one; the rest is counted.
  static constexpr std::size_t kMaxFaults = 10'000;
  static constexpr std::size_t kMaxUnchecked = 100;

  /// `total`: how many Advance() there will be, as far as is known; 0: not known.
  void BeginPhase(std::string phase, std::uint64_t total);
  void Advance(std::uint64_t count);
  void CountInodes(std::uint64_t count);
  void CountNames(std::uint64_t count);
  void CountChunks(std::uint64_t count);

  void Add(proto::CheckFault fault);
  void CountUnwritten(std::uint64_t count);
  /// What cannot be looked at, and why; said once, however often it is added.
  void AddUnchecked(std::string what);

  /// Whatever works on the check ends soon. CheckGoing is asked between two pages.
  void Cancel();
  /// Errors: kCancelled.
  Result<void> CheckGoing() const;

  /// Progress and counts; `count` faults from `first` on.
  void Fill(std::uint64_t first, std::uint64_t count, proto::CheckStatusReply& reply) const;

  // For those who add to the faults afterwards: paths, and what became of the repair.

  std::vector<proto::CheckFault> faults() const;
  void Replace(std::size_t index, proto::CheckFault fault);
  std::uint64_t fault_count() const;
  /// Whether everything was looked at.
  bool is_complete() const;

 private:
  mutable std::mutex mutex_;
  std::string phase_;
  std::uint64_t done_ = 0, total_ = 0;
  std::uint64_t inodes_ = 0, names_ = 0, chunks_ = 0, unwritten_ = 0;
  std::map<proto::CheckFaultKind, std::uint64_t> counts_;
  std::vector<proto::CheckFault> faults_;
  std::set<std::string> unchecked_;
  bool cancelled_ = false;
};

}  // namespace gabion
