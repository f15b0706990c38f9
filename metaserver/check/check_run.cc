#include "metaserver/check/check_run.h"

#include <algorithm>

#include "metaserver/check/count_pass.h"
#include "metaserver/check/name_pass.h"
#include "metaserver/check/path_finder.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

namespace {

/// Faults whose paths are looked for: each may take walks over large directories.
constexpr std::size_t kMaxPaths = 1000;

/// Whether the volume is whole in the snapshot, and not one whose records are being removed.
Task<Result<bool>> IsWhole(KvSnapshot& snapshot, VolumeId volume) {
  TableCursor cursor(snapshot, VolumeKey(volume));
  Result<void> read = co_await cursor.ReadPage();
  CO_TRY(read);
  if (cursor.at_end()) co_return false;
  CO_TRY_ASSIGN(const records::Volume record,
                DecodeRecord<records::Volume>(cursor.record().key, cursor.record().value));
  co_return !record.deleting();
}

Task<Result<void>> CheckVolume(CheckContext& context, VolumeId volume, CheckLog& log) {
  const std::unique_ptr<KvSnapshot> snapshot = context.kv.TakeSnapshot();
  Result<bool> whole = co_await IsWhole(*snapshot, volume);
  CO_TRY_ASSIGN(const bool is_whole, std::move(whole));
  if (!is_whole) co_return Result<void>();
  CountPass count(*snapshot, volume, log);
  Result<CountPass::Totals> counted = co_await count.Run();
  CO_TRY_ASSIGN(const CountPass::Totals totals, std::move(counted));
  NamePass names(*snapshot, volume, totals, context.limits.window_inodes, log);
  Result<void> followed = co_await names.Run();
  co_return followed;
}

/// Where the fault is, for people. A name is in its directory, anything else at the inode.
Task<Result<std::string>> PathOfFault(PathFinder& finder, const proto::CheckFault& fault) {
  if (fault.name().empty()) {
    Result<std::string> path = co_await finder.PathOf(Ino(fault.ino()));
    co_return path;
  }
  Result<std::string> found = co_await finder.PathOf(Ino(fault.parent()));
  CO_TRY_ASSIGN(std::string path, std::move(found));
  if (path.empty()) co_return path;
  if (path != "/") path += "/";
  co_return path + fault.name();
}

Task<Result<void>> FindPaths(CheckContext& context, Volume& volume, CheckLog& log) {
  std::vector<proto::CheckFault> faults = log.faults();
  std::set<Ino> nameless;  // of which a name is to be found
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (VolumeId(faults[i].volume_id()) != volume.id()) continue;
    faults[i].set_volume(volume.name());
    log.Replace(i, faults[i]);
    if (faults[i].ino() == 0 || wanted.size() == kMaxPaths) continue;
    wanted.push_back(i);
    if (faults[i].name().empty()) nameless.insert(Ino(faults[i].ino()));
  }
  if (wanted.empty()) co_return Result<void>();
  const std::unique_ptr<KvSnapshot> snapshot = context.kv.TakeSnapshot();
  PathFinder finder(*snapshot, volume.id());
  Result<void> named = co_await finder.FindNames(std::move(nameless));
  CO_TRY(named);
  for (std::size_t i : wanted) {
    CO_TRY(log.CheckGoing());
    Result<std::string> path = co_await PathOfFault(finder, faults[i]);
    CO_TRY_ASSIGN(*faults[i].mutable_path(), std::move(path));
    log.Replace(i, std::move(faults[i]));
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> RunCheck(CheckContext& context, std::vector<std::shared_ptr<Volume>> volumes, bool all_volumes,
                            CheckLog& log) {
  for (const std::shared_ptr<Volume>& volume : volumes) {
    Result<void> checked = co_await CheckVolume(context, volume->id(), log);
    CO_TRY(checked);
  }
  ChunkPass chunks(context.env, context.kv, context.cluster, context.volumes, context.lister,
                   context.limits.window_chunks, log);
  std::optional<VolumeId> only;
  if (!all_volumes) only = volumes.front()->id();
  Result<void> compared = co_await chunks.Run(only);
  CO_TRY(compared);
  if (log.fault_count() == 0) co_return Result<void>();
  log.BeginPhase("finding paths", 0);
  for (const std::shared_ptr<Volume>& volume : volumes) {
    Result<void> found = co_await FindPaths(context, *volume, log);
    CO_TRY(found);
  }
  co_return Result<void>();
}

}  // namespace gabion
