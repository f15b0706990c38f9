// What the contract of files (tests/contract/disk_contract_test.cc) cannot see: which thread does the work.
#include "common/env/real/real_disk_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <latch>
#include <optional>

#include "common/coro/task_group.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

Task<void> ReadInto(DiskFile& file, std::optional<Result<Slice>>& result) {
  Result<Slice> read = co_await file.ReadAt(0, 4096);
  result = std::move(read);
}

/// Whether a read ends while the pool's only thread is busy; lets go of that thread either way.
Task<bool> ReadsBeside(DiskFile& file, std::latch& pool_is_busy, Env& env) {
  TaskGroup group;
  std::optional<Result<Slice>> read;
  group.Spawn(env.executor, ReadInto(file, read));
  co_await asio::post(env.executor, asio::use_awaitable);
  const bool has_read = read.has_value();
  pool_is_busy.count_down();
  co_await group.Join();
  EXPECT_TRUE(read->has_value()) << read->error().ToString();
  co_return has_read;
}

TEST(RealDiskFileTest, MemoryIsReadOnTheLoopsThread) {
  UniqueFd memory(::memfd_create("real_disk_file_test", MFD_CLOEXEC));  // a file of the kernel's own tmpfs
  ASSERT_TRUE(memory);
  ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
  Loops loops;
  BlockingPool pool(1);
  std::latch pool_is_busy(1);
  pool.Submit([&pool_is_busy] { pool_is_busy.wait(); });
  std::unique_ptr<DiskFile> file = MakeRealDiskFile(std::move(memory), "memory", 4096, pool);
  EXPECT_TRUE(loops.Run(ReadsBeside(*file, pool_is_busy, loops.env())));
}

}  // namespace
}  // namespace gabion
