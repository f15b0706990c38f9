#include "metaserver/check/repair_run.h"

#include "metaserver/check/repair.h"

namespace gabion {

namespace {

Task<Result<bool>> RepairOrphanChunk(CheckContext& context, const proto::CheckFault& fault) {
  std::set<ServerId> servers;
  for (std::uint32_t server : fault.server_ids()) servers.emplace(server);
  Result<void> added =
      co_await context.cluster.AddGarbage(ChunkId(fault.chunk_id()), PgId(fault.pg_id()), std::move(servers));
  CO_TRY(added);
  co_return true;
}

Task<Result<bool>> RepairRecords(CheckContext& context, const proto::CheckFault& fault) {
  const std::shared_ptr<Volume> volume = context.volumes.Find(VolumeId(fault.volume_id()));
  if (!volume) co_return false;
  bool done = false;
  Volume::Decision decide = [&fault, &done](Txn& txn, OpContext& op) -> Result<void> {
    TRY_ASSIGN(done, StageRepair(txn, op, fault));
    return {};
  };
  Result<void> ran = co_await volume->Run(std::move(decide), nullptr, context.env);
  if (!ran && ran.error().code() == ErrorCode::kStale) co_return false;  // the volume was deleted
  CO_TRY(ran);
  co_return done;
}

}  // namespace

Task<Result<void>> RunRepair(CheckContext& context, CheckLog& log) {
  std::vector<proto::CheckFault> faults = log.faults();
  log.BeginPhase("repairing", faults.size());
  for (std::size_t i = 0; i < faults.size(); ++i) {
    log.Advance(1);
    proto::CheckFault& fault = faults[i];
    if (fault.repair() != proto::CHECK_REPAIR_POSSIBLE) continue;
    CO_TRY(log.CheckGoing());
    const bool is_orphan = fault.kind() == proto::CHECK_FAULT_ORPHAN_CHUNK;
    Task<Result<bool>> repairing = is_orphan ? RepairOrphanChunk(context, fault) : RepairRecords(context, fault);
    Result<bool> repaired = co_await std::move(repairing);
    CO_TRY_ASSIGN(const bool done, std::move(repaired));
    fault.set_repair(done ? proto::CHECK_REPAIR_DONE : proto::CHECK_REPAIR_SKIPPED);
    log.Replace(i, fault);
  }
  co_return Result<void>();
}

}  // namespace gabion
