// Passes of scrub that administrators want: no restart loses one, and none is done twice.
#include "metaserver/admin/admin_ops.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;

class ClusterScrubTest : public testing::Test {
 protected:
  /// The servers that were asked.
  std::vector<std::uint32_t> Start(std::uint32_t server = 0) {
    std::vector<std::uint32_t> asked;
    const auto entries = bench_.Do(bench_.cluster().StartScrub(ServerId(server), bench_.env()));
    if (!entries) return asked;
    for (const proto::ServerEntry& entry : *entries) asked.push_back(entry.server_id());
    return asked;
  }
  /// The round that a server is asked for when it says this.
  std::uint64_t Say(unsigned server, const proto::ScrubReport& report) {
    proto::HeartbeatRequest request;
    *request.mutable_scrub() = report;
    const Result<proto::HeartbeatReply> reply = bench_.Report(server, request);
    CHECK(reply.has_value());
    return reply->scrub_round();
  }
  static proto::ScrubReport Finished(std::uint64_t round, std::uint64_t passes = 1) {
    proto::ScrubReport report;
    report.set_finished_round(round);
    report.set_passes(passes);
    return report;
  }
  proto::ServerEntry Entry(unsigned server) {
    google::protobuf::RepeatedPtrField<proto::ServerEntry> entries;
    entries.Add()->set_server_id(server);
    bench_.cluster().AddScrub(entries);
    return entries.Get(0);
  }
  int CountEvents(const std::string& kind) {
    int count = 0;
    for (const EventLog::Numbered& known : bench_.cluster().LastEvents(100))
      count += known.event.kind() == kind ? 1 : 0;
    return count;
  }

  MetaBench bench_;
};

TEST_F(ClusterScrubTest, IsAskedForUntilItIsDone) {
  EXPECT_EQ(Say(1, {}), 0u);
  EXPECT_THAT(Start(), ElementsAre(1, 2, 3));
  EXPECT_EQ(Say(1, {}), 1u);
  EXPECT_EQ(Say(1, {}), 1u);
  proto::ScrubReport done = Finished(1);
  done.set_repaired_bytes(4096);
  EXPECT_EQ(Say(1, done), 0u);
  EXPECT_EQ(Say(2, {}), 1u);
  EXPECT_EQ(CountEvents("scrub-finished"), 1);
  EXPECT_THAT(bench_.cluster().LastEvents(1).front().event.text(), testing::HasSubstr("4096 bytes repaired, 0 chunks"));
  EXPECT_GT(Entry(1).last_scrub_ns(), 0);
  EXPECT_EQ(Entry(1).scrub().finished_round(), 1u);
  EXPECT_EQ(Entry(2).last_scrub_ns(), 0);
}

TEST_F(ClusterScrubTest, OfOneServer) {
  EXPECT_THAT(Start(2), ElementsAre(2));
  EXPECT_EQ(Say(1, {}), 0u);
  EXPECT_EQ(Say(2, {}), 1u);
  EXPECT_EQ(CodeOf(bench_.Do(bench_.cluster().StartScrub(ServerId(9), bench_.env()))), ErrorCode::kNotFound);
}

TEST_F(ClusterScrubTest, AnotherWishMeanwhileJoinsAndALaterOneIsNew) {
  Start(1);
  Start(1);
  EXPECT_EQ(Say(1, {}), 1u);
  EXPECT_EQ(Say(1, Finished(1)), 0u);
  Start(1);
  EXPECT_EQ(Say(1, Finished(1)), 2u);
  EXPECT_EQ(Say(1, Finished(2, 2)), 0u);
}

TEST_F(ClusterScrubTest, AWishSurvivesPowerLossAndSoDoesItsEnd) {
  Start(1);
  bench_.LosePower();
  EXPECT_EQ(Say(1, {}), 1u);
  EXPECT_EQ(Say(1, Finished(1)), 0u);
  const std::int64_t ended = Entry(1).last_scrub_ns();
  bench_.Restart();
  EXPECT_EQ(Say(1, Finished(1)), 0u);
  EXPECT_EQ(Entry(1).last_scrub_ns(), ended) << "that pass had ended before the restart";
  EXPECT_EQ(CountEvents("scrub-finished"), 1);
}

TEST_F(ClusterScrubTest, ARestartedServerIsAskedAgain) {
  Start(1);
  EXPECT_EQ(Say(1, {}), 1u);
  bench_.RegisterServer(1, "", 2);
  EXPECT_EQ(Say(1, {}), 1u);
}

TEST_F(ClusterScrubTest, ANumberThatWasNeverGivenCountsForNothing) {
  Start(1);
  EXPECT_EQ(Say(1, Finished(7)), 1u);
}

TEST_F(ClusterScrubTest, PassesOfTheServersOwnAreRemembered) {
  EXPECT_EQ(Say(1, Finished(0, 0)), 0u);
  EXPECT_EQ(Entry(1).last_scrub_ns(), 0);
  Say(1, Finished(0, 1));
  EXPECT_GT(Entry(1).last_scrub_ns(), 0);
}

TEST_F(ClusterScrubTest, AnOpenWishIsAPassThatWaits) {
  Say(1, Finished(0, 3));
  EXPECT_FALSE(Entry(1).scrub().running());
  Start(1);
  EXPECT_TRUE(Entry(1).scrub().running());
  EXPECT_EQ(Entry(1).scrub().pass_bytes(), 0u);
  proto::ScrubReport running;
  running.set_running(true);
  running.set_pass_bytes(100);
  Say(1, running);
  EXPECT_EQ(Entry(1).scrub().pass_bytes(), 100u);
}

TEST_F(ClusterScrubTest, FaultsAreAWarning) {
  Start(1);
  proto::ScrubReport report = Finished(1);
  report.set_failed_chunks(2);
  Say(1, report);
  EXPECT_EQ(CountEvents("scrub-failed"), 1);
  EXPECT_TRUE(bench_.cluster().LastEvents(1).front().event.warning());
}

TEST_F(ClusterScrubTest, AdministratorsSeeItAndTheMapDoesNot) {
  AdminOps admin(bench_.volumes(), bench_.cluster(), bench_.options(), bench_.env().clock.Now());
  Say(1, Finished(0, 5));
  EXPECT_EQ(bench_.Do(admin.ListServers())->servers(0).scrub().passes(), 5u);
  EXPECT_EQ(bench_.Do(admin.Status(bench_.env()))->servers(0).scrub().passes(), 5u);
  EXPECT_FALSE(bench_.Map().servers(0).has_scrub());
}

}  // namespace
}  // namespace gabion
