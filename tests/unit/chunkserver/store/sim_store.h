#pragma once

#include <memory>
#include <string>
#include <utility>

#include "chunkserver/store/extent_store.h"
#include "common/env/sim/sim_world.h"

namespace gabion {

/// Options under which little data reaches every limit.
StoreOptions SmallStoreOptions();

/// Bytes that tell which write they come from.
std::string Pattern(std::uint64_t seed, std::size_t length);

ChunkWrite MakeWrite(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync = false);

/// Joins what Read returned, checks each block against its checksum (a failure of the test), and fills up with zeros.
std::string BytesOf(const ChunkRead& read, std::size_t length);

/// An extent store on a simulated machine, for a test's own thread: it is open unless the test says otherwise.
class SimStore {
 public:
  explicit SimStore(std::uint64_t seed, StoreOptions options = SmallStoreOptions(),
                    std::uint64_t disk_bytes = SimDiskOptions().capacity_bytes);
  ~SimStore();

  SimWorld& world() { return world_; }
  SimMachine& machine() { return machine_; }
  SimPlatter& platter() { return machine_.disk("disk").platter(); }
  MemoryKvContents& index() { return machine_.kv("index").contents(); }
  StoreOptions& options() { return options_; }
  ExtentStore& store() { return *store_; }

  Result<void> TryOpen();
  void Open();
  /// Stops the store, as its process does when it ends.
  void Close();
  void Restart();
  void KillAndRestart();
  void LosePowerAndRestart();

  template <typename T>
  T Run(Task<T> task) {
    return world_.RunUntilDone(std::move(task), std::chrono::hours(1));
  }

  Result<void> Write(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync = false) {
    return Run(store_->Write(MakeWrite(chunk, offset_bytes, bytes, sync)));
  }
  void MustWrite(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync = false);
  void MustSync();
  /// Any range; beyond the end are zeros.
  std::string MustRead(ChunkId chunk, std::uint32_t offset_bytes, std::size_t length);
  Result<void> Zero(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes);
  Result<void> Trim(ChunkId chunk, std::uint32_t length_bytes, std::uint64_t generation);
  Result<void> Copy(ChunkId source, std::uint32_t from_bytes, ChunkId target, std::uint32_t to_bytes,
                    std::uint32_t length_bytes);
  Result<void> Remove(ChunkId chunk) { return Run(store_->Remove(chunk)); }
  ChunkPage MustList(ListQuery query);
  Result<void> Adopt(AdoptChunk adopt) { return Run(store_->Adopt(adopt)); }
  void MustClearUnsettled(std::vector<ChunkId> chunks);
  std::optional<ChunkStat> MustStat(ChunkId chunk);
  std::uint64_t used_blocks() { return store_->core().usage().used_bytes / kBlockBytes; }
  /// Until what was freed is free, inline blocks are in their place and holes are punched.
  void Settle();
  /// What the index says must be one whole (index_checker.h).
  void CheckIndex();

 private:
  SimWorld world_;
  SimMachine& machine_;
  StoreOptions options_;
  std::unique_ptr<ExtentStore> store_;
};

}  // namespace gabion
