#include "metaserver/session/session_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

Session& Add(SessionTable& table, std::uint64_t id, bool resumed = true) {
  Session session;
  session.id = SessionId(id);
  session.resumed = resumed;
  session.last_heard = TimePoint{static_cast<std::int64_t>(id)};
  table.Add(std::move(session));
  return *table.Find(SessionId(id));
}

TEST(SessionTableTest, CountsOpensOverAllSessions) {
  SessionTable table;
  Session& first = Add(table, 1);
  Session& second = Add(table, 2);
  table.OpenHandle(first, HandleId(1), Ino(5));
  table.OpenHandle(first, HandleId(1), Ino(5));
  table.OpenHandle(first, HandleId(2), Ino(5));
  table.OpenHandle(second, HandleId(1), Ino(5));
  EXPECT_EQ(table.OpenCount(Ino(5)), 3u);
  EXPECT_TRUE(second.HasOpen(Ino(5)));
  EXPECT_EQ(table.CloseHandle(first, HandleId(1)), std::nullopt);
  EXPECT_EQ(table.CloseHandle(first, HandleId(9)), std::nullopt);
  EXPECT_EQ(table.CloseHandle(first, HandleId(2)), std::nullopt);
  EXPECT_FALSE(first.HasOpen(Ino(5)));
  EXPECT_EQ(table.CloseHandle(second, HandleId(1)), Ino(5));
  EXPECT_FALSE(table.IsOpen(Ino(5)));
}

TEST(SessionTableTest, ARemovedSessionClosesWhatItAloneHadOpen) {
  SessionTable table;
  Session& first = Add(table, 1);
  Session& second = Add(table, 2);
  table.OpenHandle(first, HandleId(1), Ino(7));
  table.OpenHandle(first, HandleId(2), Ino(5));
  table.OpenHandle(first, HandleId(3), Ino(6));
  table.OpenHandle(second, HandleId(1), Ino(6));
  EXPECT_THAT(table.Remove(SessionId(1)), testing::ElementsAre(Ino(5), Ino(7)));
  EXPECT_TRUE(table.IsOpen(Ino(6)));
  EXPECT_EQ(table.Find(SessionId(1)), nullptr);
  EXPECT_TRUE(table.Remove(SessionId(1)).empty());
}

TEST(SessionTableTest, WaitsForEverySessionToResume) {
  SessionTable table;
  Session& first = Add(table, 1, false);
  Add(table, 2, false);
  EXPECT_TRUE(table.awaiting_reclaim());
  table.MarkResumed(first);
  table.MarkResumed(first);
  EXPECT_TRUE(table.awaiting_reclaim());
  table.Remove(SessionId(2));
  EXPECT_FALSE(table.awaiting_reclaim());
}

TEST(SessionTableTest, FindsTheSilentOnes) {
  SessionTable table;
  Add(table, 1);
  Add(table, 2);
  EXPECT_THAT(table.HeardBefore(TimePoint{2}), testing::ElementsAre(SessionId(1)));
}

}  // namespace
}  // namespace gabion
