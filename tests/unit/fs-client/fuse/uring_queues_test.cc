#include "fs-client/fuse/uring_queues.h"

#include <gtest/gtest.h>

namespace gabion::fuse {
namespace {

using Queues = std::vector<std::vector<std::uint16_t>>;

TEST(UringQueuesTest, GivesEachLoopTheQueueOfItsCpu) {
  EXPECT_EQ(AssignQueues(2, {0, 1}), (Queues{{0}, {1}}));
  EXPECT_EQ(AssignQueues(2, {1, 0}), (Queues{{1}, {0}}));
}

TEST(UringQueuesTest, DealsOutCpusWithoutALoop) {
  EXPECT_EQ(AssignQueues(6, {4, 5}), (Queues{{0, 2, 4}, {1, 3, 5}}));
  EXPECT_EQ(AssignQueues(3, {-1}), (Queues{{0, 1, 2}}));
}

TEST(UringQueuesTest, LeavesNoQueueOut) {
  Queues queues = AssignQueues(130, {7, 9, 200});
  std::size_t count = 0;
  for (const auto& of_loop : queues) count += of_loop.size();
  EXPECT_EQ(count, 130u);
}

TEST(UringQueuesTest, CountsCpusOfAList) {
  EXPECT_EQ(*CountCpus("0"), 1u);
  EXPECT_EQ(*CountCpus("0-1\n"), 2u);
  EXPECT_EQ(*CountCpus("0-3,8,10-11"), 7u);
  for (const char* text : {"", "\n", "a", "-1", "3-1", "0-", "0,", "0;1", "0-99999999999", "0 1"}) {
    EXPECT_FALSE(CountCpus(text)) << text;
  }
}

}  // namespace
}  // namespace gabion::fuse
