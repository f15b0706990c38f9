// gabion scrub.
#include <nlohmann/json.hpp>

#include "tests/unit/cli/app_fixture.h"

namespace gabion {
namespace {

using testing::HasSubstr;
using testing::Return;

/// Two servers; each look at them finds the first one a tenth further, and then done.
class ScrubCommandTest : public AppFixture {
 protected:
  ScrubCommandTest() {
    for (std::uint32_t id = 1; id <= 2; ++id) {
      proto::ServerEntry& server = *servers_.add_servers();
      server.set_server_id(id);
      server.set_endpoint("127.0.0.1:400" + std::to_string(id));
      server.set_alive(true);
      server.mutable_scrub()->set_finished_round(4);
    }
  }
  proto::ScrubReport& scrub(int index) { return *servers_.mutable_servers(index)->mutable_scrub(); }
  void ExpectStart(std::uint32_t server, int count) {
    proto::ScrubStartReply reply;
    for (int i = 0; i < count; ++i) *reply.add_servers() = servers_.servers(i);
    EXPECT_CALL(api_, StartScrub(server)).WillOnce(Return(reply));
  }
  void ExpectLooks() {
    EXPECT_CALL(api_, ListServers()).WillRepeatedly([this] {
      scrub(0).set_running(true);
      scrub(0).set_pass_bytes(100);
      scrub(0).set_pass_bytes_done(scrub(0).pass_bytes_done() + 10);
      if (scrub(0).pass_bytes_done() == 100) scrub(0).set_finished_round(5);
      scrub(1).set_finished_round(5);
      return Result<proto::ServerListReply>(servers_);
    });
  }

  proto::ServerListReply servers_;
};

TEST_F(ScrubCommandTest, StartReturnsAtOnce) {
  ExpectStart(0, 2);
  EXPECT_EQ(Run({"scrub", "start"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(), "2 chunkservers asked to scrub; gabion scrub status tells how far it is\n");
}

TEST_F(ScrubCommandTest, WaitFollowsUntilAllHaveFinished) {
  ExpectStart(0, 2);
  ExpectLooks();
  EXPECT_EQ(Run({"scrub", "start", "--wait"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("scrub: 0 % of 0 B, 2 chunkservers not done\n"));
  EXPECT_THAT(out_.str(), HasSubstr("scrubbed 100 B on 2 chunkservers: all copies are good\n"));
}

TEST_F(ScrubCommandTest, WaitForOneServerSaysWhatWasRepaired) {
  scrub(0).set_repaired_bytes(1000);
  ExpectStart(1, 1);
  ExpectLooks();
  scrub(0).set_repaired_bytes(1000 + 4096);
  EXPECT_EQ(Run({"scrub", "start", "1", "--wait"}), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("on 1 chunkserver: 4.0 KiB repaired, all copies are good\n"));
}

TEST_F(ScrubCommandTest, FaultsThatStayAreAnExitCode) {
  ExpectStart(0, 2);
  ExpectLooks();
  scrub(1).set_failed_chunks(3);
  EXPECT_EQ(Run({"scrub", "start", "--wait", "--json"}), ExitCode::kFaults);
  EXPECT_EQ(nlohmann::json::parse(out_.str())[1]["failed_chunks"], 3);
}

TEST_F(ScrubCommandTest, AnInterruptSaysThatItGoesOn) {
  ExpectStart(0, 2);
  ExpectLooks();
  polls_until_interrupt_ = 3;
  EXPECT_EQ(Run({"scrub", "start", "--wait"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("the scrub goes on: gabion scrub status"));
}

TEST_F(ScrubCommandTest, ARestartOfTheMetaserverIsWaitedFor) {
  ExpectStart(0, 2);
  ExpectLooks();
  EXPECT_CALL(api_, ListServers())
      .WillOnce(Return(Error(ErrorCode::kUnavailable, "connection refused")))
      .WillOnce(Return(Error(ErrorCode::kDeadlineExceeded, "no answer")))
      .RetiresOnSaturation();
  EXPECT_EQ(Run({"scrub", "start", "--wait"}), ExitCode::kDone);
}

TEST_F(ScrubCommandTest, AServerThatIsRemovedIsNotWaitedFor) {
  ExpectStart(0, 2);
  scrub(1).set_finished_round(5);
  servers_.mutable_servers()->DeleteSubrange(0, 1);
  EXPECT_CALL(api_, ListServers()).WillOnce(Return(servers_));
  EXPECT_EQ(Run({"scrub", "start", "--wait"}), ExitCode::kDone);
}

TEST_F(ScrubCommandTest, StatusIsATableOfServers) {
  scrub(0).set_running(true);
  scrub(0).set_pass_bytes(200);
  scrub(0).set_pass_bytes_done(50);
  servers_.mutable_servers(0)->set_last_scrub_ns(1'000'000'000);
  scrub(1).set_running(true);
  scrub(1).set_failed_chunks(2);
  EXPECT_CALL(api_, ListServers()).WillOnce(Return(servers_));
  EXPECT_EQ(Run({"scrub", "status"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(),
            "SERVER  ENDPOINT        STATE         LAST PASS                REPAIRED  FAILED CHUNKS\n"
            "     1  127.0.0.1:4001  running 25 %  1970-01-01 00:00:01 UTC       0 B              0\n"
            "     2  127.0.0.1:4002  waiting       not known                     0 B              2\n");
}

}  // namespace
}  // namespace gabion
