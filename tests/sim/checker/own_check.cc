#include <fmt/format.h>

#include "proto/admin.pb.h"
#include "tests/sim/checker/checker.h"

namespace gabion {
namespace {

Result<proto::CheckStatusReply> RunOwnCheck(SimCluster& cluster) {
  auto started =
      cluster.Do(cluster.CallMeta<proto::CheckStartReply>(proto::METHOD_CHECK_START, proto::CheckStartRequest()));
  if (!started) return started.error();
  proto::CheckStatusRequest request;
  request.set_check_id(started->check_id());
  request.set_max_faults(20);
  while (true) {
    auto status = cluster.Do(cluster.CallMeta<proto::CheckStatusReply>(proto::METHOD_CHECK_STATUS, request));
    if (!status || status->state() != proto::CHECK_STATE_RUNNING) return status;
    cluster.world().RunFor(std::chrono::milliseconds(100));
  }
}

}  // namespace

std::string CheckOwnCheck(SimCluster& cluster) {
  const Result<proto::CheckStatusReply> status = RunOwnCheck(cluster);
  if (!status) return status.error().ToString() + "\n";
  if (status->state() != proto::CHECK_STATE_FINISHED) return "it did not finish: " + status->error() + "\n";
  std::string problems;
  for (const std::string& what : status->unchecked()) problems += "not looked at: " + what + "\n";
  for (const proto::CheckFault& fault : status->faults()) {
    // When all copies lose power, what was not synced is gone, and the file's record need not be.
    if (fault.kind() == proto::CHECK_FAULT_MISSING_CHUNK) continue;
    problems +=
        fmt::format("{} of inode {} '{}', chunk {}: {} recorded, {} found\n", proto::CheckFaultKind_Name(fault.kind()),
                    fault.ino(), fault.path(), fault.chunk_id(), fault.recorded(), fault.found());
  }
  return problems;
}

}  // namespace gabion
