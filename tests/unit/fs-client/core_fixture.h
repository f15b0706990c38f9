#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fs-client/io/reader.h"
#include "fs-client/io/write_back.h"
#include "fs-client/lock/held_locks.h"
#include "fs-client/vfs/open_files.h"
#include "tests/unit/fs-client/fake_servers.h"

namespace gabion {

/// The parts of a client core over a fake metaserver and two fake chunkservers, in a simulated world; the client runs
/// on the machine on which the test's coroutines run. Nothing ages and nothing renews: what happens, the test has asked
/// for.
class CoreFixture : public testing::Test {
 protected:
  static constexpr std::uint64_t kMemoryBytes = 8 * kMiB;

  /// `soft`: as the mount option.
  explicit CoreFixture(Duration soft = Duration(0));
  ~CoreFixture() override;

  template <typename T>
  T Run(Task<T> task) {
    return world_.RunUntilDone(std::move(task));
  }
  void Run(Task<void> task) { world_.RunUntilDone(std::move(task)); }

  /// A handle of the metaserver's file, as after open(2); with a write lease.
  OpenHandlePtr OpenFile(std::uint32_t flags = 0);
  OpenHandlePtr OpenFile(std::uint32_t flags, const proto::Attr& attr);
  void GrantWrite(Ino ino, std::uint64_t number = 1'000'000);
  /// Gathers; the test has made sure that there is room.
  void Write(const OpenHandlePtr& handle, std::uint64_t offset_bytes, const std::string& bytes, bool append = false);
  std::string Read(const OpenHandlePtr& handle, std::uint64_t offset_bytes, std::uint32_t size);
  void Flush(const OpenHandlePtr& handle);
  /// What the file's chunk at `index` holds on chunk1.
  std::string Stored(std::uint64_t index) { return chunk1_.chunks[meta_.chunks[index].chunk_id()]; }

  SimWorld world_{1};
  SimMachine& here_ = world_.machine("test");
  FakeMetaserver meta_{world_.AddMachine("meta")};
  FakeChunkserver chunk1_{world_.AddMachine("chunk1")};
  FakeChunkserver chunk2_{world_.AddMachine("chunk2")};
  TaskGroup tasks_;
  ClientLoop loop_{here_.env(), {{"meta", FakeMetaserver::kPort}}, ""};
  OpenFiles files_;
  HeldLocks locks_{files_};
  RootMap root_;
  KernelCaches kernel_{root_};
  Leases leases_{kernel_};
  MemoryBudget memory_{kMemoryBytes};
  MetaSession session_;
  MetaCalls calls_;
  ChunkCalls chunks_{session_};
  ChunkPlaces places_{calls_, session_, chunks_};
  Reader reader_{chunks_, places_, memory_, tasks_};
  WriteBack write_back_{{calls_, session_, chunks_, places_, memory_, kernel_, tasks_, leases_,
                         [this](const OpenInodePtr& inode) { files_.Retire(inode); }}};
};

}  // namespace gabion
