#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "metaserver/volume/volume.h"

namespace gabion {

/// The volumes of the cluster. Any thread; its mutex is taken before a volume's strand and never held over a
/// suspension.
class VolumeTable {
 public:
  static constexpr std::uint32_t kMaxReplicas = 8;
  static constexpr std::size_t kMaxVolumes = 65536;

  VolumeTable(KvStore& kv, Cluster& cluster, Duration session_ttl)
      : kv_(kv), cluster_(cluster), session_ttl_(session_ttl) {}

  /// Reads every volume. Before everything else.
  Task<Result<void>> Load(Env& env);

  /// Null if there is none.
  std::shared_ptr<Volume> Find(VolumeId id) const;
  std::shared_ptr<Volume> FindByName(const std::string& name) const;
  /// By id.
  std::vector<std::shared_ptr<Volume>> List() const;

  /// Errors: kInvalidArgument (name, replicas), kExists, kOverloaded, kUnavailable.
  Task<Result<std::shared_ptr<Volume>>> Create(std::string name, std::uint32_t replicas, Env& env);
  /// The volume is gone at once, its files' chunks go in the background. `force`: also if it has files; `live_since`:
  /// sessions not heard from since do not count, if forced. Errors: kNotFound, kBusy (mounted), kNotEmpty,
  /// kUnavailable.
  Task<Result<void>> Delete(std::string name, bool force, TimePoint live_since, Env& env);

  /// Deleted volumes whose records are still there.
  std::vector<VolumeId> Deleting() const;
  void RecordRemoved(VolumeId id);

 private:
  KvStore& kv_;
  Cluster& cluster_;
  /// A process makes fewer changes of one file.
  static constexpr std::uint64_t kDataVersionsPerStart = std::uint64_t{1} << 40;

  const Duration session_ttl_;
  std::uint64_t data_version_floor_ = 0;

  mutable std::mutex mutex_;
  std::map<VolumeId, std::shared_ptr<Volume>> volumes_;
  std::map<std::string, VolumeId> by_name_;
  std::set<VolumeId> deleting_;
};

/// A volume's name: lower-case letters, digits, '.', '_' and '-', the first a letter or digit, at most 63.
bool IsVolumeName(std::string_view name);

}  // namespace gabion
