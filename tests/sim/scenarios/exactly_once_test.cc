// A change that was asked for once happens once, whatever happens to its answer.
#include <functional>

#include "tests/sim/scenarios/bare_session.h"
#include "tests/sim/scenarios/scenario.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Runs the world until the metaserver has changed its store.
bool RunUntilApplied(SimCluster& cluster) {
  const CommitSeq before = cluster.store("meta").applied_seq();
  return cluster.world().RunUntil([&] { return cluster.store("meta").applied_seq() > before; }, seconds(5));
}

TEST(ExactlyOnceTest, ReplayIsAnsweredFromTheStoredReply) {
  SimCluster cluster({.seed = 31, .chunkservers = 0, .clients = 0, .replicas = 1});
  BareSession session(cluster);
  const proto::CreateRequest request = session.CreateRequest("file", 1, 77);

  cluster.network().Block("meta", "test");
  auto lost = cluster.Begin(session.Send<proto::CreateReply>(proto::METHOD_CREATE, request));
  ASSERT_TRUE(RunUntilApplied(cluster));
  cluster.network().ResetConnections("meta", "test");
  cluster.network().MendAll();
  EXPECT_EQ(NameOf(cluster.Await(lost)), "CONNECTION_LOST");

  const auto replayed = cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, request));
  ASSERT_TRUE(IsOk(replayed));
  EXPECT_TRUE(replayed->created());
  EXPECT_EQ(replayed->attr().ino(), request.ino());

  cluster.Kill("meta");
  cluster.Start("meta");
  cluster.world().RunFor(seconds(1));  // the old connection's end arrives
  const auto after_restart = cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, request));
  ASSERT_TRUE(IsOk(after_restart));
  EXPECT_EQ(after_restart->SerializeAsString(), replayed->SerializeAsString());

  // Another op for the same name is another matter.
  const auto other =
      cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, session.CreateRequest("file", 2)));
  EXPECT_EQ(NameOf(other), "EXISTS");
}

TEST(ExactlyOnceTest, AcknowledgedOpIsRefused) {
  SimCluster cluster({.seed = 32, .chunkservers = 0, .clients = 0, .replicas = 1});
  BareSession session(cluster);
  const proto::CreateRequest first = session.CreateRequest("a", 1);
  ASSERT_TRUE(IsOk(cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, first))));
  proto::CreateRequest second = session.CreateRequest("b", 2);
  second.mutable_op()->set_acked_below(2);
  ASSERT_TRUE(IsOk(cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, second))));
  const auto again = cluster.Do(session.Send<proto::CreateReply>(proto::METHOD_CREATE, first));
  EXPECT_EQ(NameOf(again), "INVALID_ARGUMENT");
}

/// A call that would be noticed if it happened twice, or not at all.
struct Change {
  std::string name;
  std::function<Task<Result<void>>(PosixCalls&, std::string dir)> make;
  std::function<void(SimCluster&, PosixCalls&, const std::string& dir)> check;
};

// Coroutines that are functions: a coroutine lambda that captures would outlive its captures.
Task<Result<void>> CreateExclusively(PosixCalls& client, std::string path) {
  Result<Fd> fd = co_await client.Open(std::move(path), O_CREAT | O_EXCL | O_RDWR);
  if (!fd) co_return fd.error();
  Result<void> closed = co_await client.Close(*fd);
  co_return closed;
}

std::vector<Change> Changes() {
  return {
      {"Create", [](PosixCalls& client, std::string dir) { return CreateExclusively(client, dir + "/new"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         EXPECT_TRUE(IsOk(cluster.Do(client.Stat(dir + "/new"))));
       }},
      {"Mkdir", [](PosixCalls& client, std::string dir) { return client.Mkdir(dir + "/new"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         const Result<FileAttr> attr = cluster.Do(client.Stat(dir));
         ASSERT_TRUE(IsOk(attr));
         EXPECT_EQ(attr->nlink, 4u);  // itself, "sub" and "new"
       }},
      {"Link", [](PosixCalls& client, std::string dir) { return client.Link(dir + "/file", dir + "/new"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         const Result<FileAttr> attr = cluster.Do(client.Stat(dir + "/file"));
         ASSERT_TRUE(IsOk(attr));
         EXPECT_EQ(attr->nlink, 3u);
       }},
      {"Unlink", [](PosixCalls& client, std::string dir) { return client.Unlink(dir + "/file"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         const Result<FileAttr> attr = cluster.Do(client.Stat(dir + "/other"));
         ASSERT_TRUE(IsOk(attr));
         EXPECT_EQ(attr->nlink, 1u);
         EXPECT_EQ(NameOf(cluster.Do(client.Stat(dir + "/file"))), "NOT_FOUND");
       }},
      {"Rmdir", [](PosixCalls& client, std::string dir) { return client.Rmdir(dir + "/sub"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         const Result<FileAttr> attr = cluster.Do(client.Stat(dir));
         ASSERT_TRUE(IsOk(attr));
         EXPECT_EQ(attr->nlink, 2u);
       }},
      {"Rename", [](PosixCalls& client, std::string dir) { return client.Rename(dir + "/file", dir + "/new"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         EXPECT_EQ(NameOf(cluster.Do(client.Stat(dir + "/file"))), "NOT_FOUND");
         EXPECT_TRUE(IsOk(cluster.Do(client.Stat(dir + "/new"))));
       }},
      {"Overwrite", [](PosixCalls& client, std::string dir) { return client.WriteFile(dir + "/file", "new"); },
       [](SimCluster& cluster, PosixCalls& client, const std::string& dir) {
         const Result<std::string> read = cluster.Do(client.ReadFile(dir + "/other"));
         ASSERT_TRUE(IsOk(read));
         EXPECT_EQ(*read, "new");
       }},
  };
}

void Prepare(SimCluster& cluster, PosixCalls& client, const std::string& dir) {
  ASSERT_TRUE(IsOk(cluster.Do(client.Mkdir(dir))));
  ASSERT_TRUE(IsOk(cluster.Do(client.Mkdir(dir + "/sub"))));
  ASSERT_TRUE(IsOk(cluster.Do(client.WriteFile(dir + "/file", "old"))));
  ASSERT_TRUE(IsOk(cluster.Do(client.Link(dir + "/file", dir + "/other"))));
}

TEST(ExactlyOnceTest, EveryChangeWhoseReplyIsLost) {
  SimCluster cluster({.seed = 33});
  PosixCalls client(cluster, "client1");
  for (const Change& change : Changes()) {
    SCOPED_TRACE(change.name);
    const std::string dir = "/" + change.name;
    Prepare(cluster, client, dir);
    auto made = cluster.Begin(change.make(client, dir));
    ASSERT_TRUE(RunUntilApplied(cluster));
    cluster.network().Block("meta", "client1");
    cluster.world().RunFor(milliseconds(50));
    cluster.network().ResetConnections("meta", "client1");
    cluster.network().MendAll();
    ASSERT_TRUE(IsOk(cluster.Await(made)));
    change.check(cluster, client, dir);
  }
}

TEST(ExactlyOnceTest, EveryChangeWhoseServerDiesRightAfterIt) {
  SimCluster cluster({.seed = 34});
  PosixCalls client(cluster, "client1");
  for (const Change& change : Changes()) {
    SCOPED_TRACE(change.name);
    const std::string dir = "/" + change.name;
    Prepare(cluster, client, dir);
    auto made = cluster.Begin(change.make(client, dir));
    ASSERT_TRUE(RunUntilApplied(cluster));
    cluster.Kill("meta");
    cluster.world().RunFor(seconds(2));
    cluster.Start("meta");
    ASSERT_TRUE(IsOk(cluster.Await(made)));
    change.check(cluster, client, dir);
  }
}

TEST(ExactlyOnceTest, EveryChangeAcrossARestartAtAnyMoment) {
  SimCluster cluster({.seed = 35});
  PosixCalls client(cluster, "client1");
  int round = 0;
  for (std::int64_t kill_after_us = 0; kill_after_us <= 1500; kill_after_us += 150) {
    for (const Change& change : Changes()) {
      SCOPED_TRACE(change.name + " " + std::to_string(kill_after_us));
      const std::string dir = "/" + change.name + std::to_string(++round);
      Prepare(cluster, client, dir);
      auto made = cluster.Begin(change.make(client, dir));
      cluster.world().RunFor(std::chrono::microseconds(kill_after_us));
      cluster.Kill("meta");
      cluster.world().RunFor(milliseconds(100));
      cluster.Start("meta");
      ASSERT_TRUE(IsOk(cluster.Await(made)));
      change.check(cluster, client, dir);
    }
  }
}

TEST(ExactlyOnceTest, ManyAtOnceAcrossARestart) {
  constexpr int kFiles = 200;
  SimCluster cluster({.seed = 36});
  PosixCalls client(cluster, "client1");
  std::vector<std::shared_ptr<std::optional<Result<void>>>> begun;
  for (int i = 0; i < kFiles; ++i) {
    begun.push_back(cluster.Begin(CreateExclusively(client, "/file" + std::to_string(i))));
  }
  cluster.world().RunFor(milliseconds(1));
  cluster.Kill("meta");
  cluster.world().RunFor(seconds(2));
  cluster.Start("meta");
  for (auto& one : begun) ASSERT_TRUE(IsOk(cluster.Await(one)));
  const Result<std::vector<DirectoryItem>> items = cluster.Do(client.List("/"));
  ASSERT_TRUE(IsOk(items));
  EXPECT_EQ(items->size(), static_cast<std::size_t>(kFiles));
}

TEST(ExactlyOnceTest, ColdStoreChangesNothing) {
  SimCluster cluster({.seed = 37});
  cluster.store("meta").options().cold = true;
  cluster.store("meta").options().warm_keys_max = 50;
  PosixCalls client(cluster, "client1");
  for (const Change& change : Changes()) {
    SCOPED_TRACE(change.name);
    const std::string dir = "/" + change.name;
    Prepare(cluster, client, dir);
    cluster.store("meta").Cool();
    ASSERT_TRUE(IsOk(cluster.Do(change.make(client, dir))));
    cluster.store("meta").Cool();
    change.check(cluster, client, dir);
  }
}

}  // namespace
}  // namespace gabion
