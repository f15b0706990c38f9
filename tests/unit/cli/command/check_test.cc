// `gabion check`, from the start of the check to its exit code.
#include <nlohmann/json.hpp>

#include "tests/unit/cli/app_fixture.h"

namespace gabion {
namespace {

using testing::_;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Return;

proto::CheckStatusReply Status(proto::CheckState state) {
  proto::CheckStatusReply status;
  status.set_check_id(7);
  status.set_state(state);
  status.set_phase("following names");
  status.set_percent(40);
  return status;
}

proto::CheckFault LinkFault(proto::CheckRepairState repair) {
  proto::CheckFault fault;
  fault.set_kind(proto::CHECK_FAULT_LINK_COUNT);
  fault.set_volume_id(1);
  fault.set_volume("home");
  fault.set_ino(5);
  fault.set_path("/a");
  fault.set_recorded(3);
  fault.set_found(1);
  fault.set_repair(repair);
  return fault;
}

class CheckCommandTest : public AppFixture {
 protected:
  CheckCommandTest() {
    proto::CheckStartReply started;
    started.set_check_id(7);
    EXPECT_CALL(api_, StartCheck(_)).WillRepeatedly(Return(started));
    EXPECT_CALL(api_, CheckStatus(_)).WillRepeatedly([this](proto::CheckStatusRequest request) {
      proto::CheckStatusReply status = status_;
      status.clear_faults();
      for (std::uint64_t i = request.first_fault(); i < faults_.size(); ++i) {
        if (status.faults_size() == static_cast<int>(request.max_faults())) break;
        *status.add_faults() = faults_[i];
      }
      return status;
    });
  }

  void Find(proto::CheckFault fault) {
    faults_.push_back(std::move(fault));
    status_.set_kept_faults(faults_.size());
    status_.clear_counts();
    status_.add_counts()->set_kind(proto::CHECK_FAULT_LINK_COUNT);
    status_.mutable_counts(0)->set_count(faults_.size());
  }

  proto::CheckStatusReply status_ = Status(proto::CHECK_STATE_FINISHED);
  std::vector<proto::CheckFault> faults_;
};

TEST_F(CheckCommandTest, NothingFoundIsOneLineAndSuccess) {
  EXPECT_EQ(Run({"check"}), ExitCode::kDone);
  EXPECT_EQ(out_.str(), "no faults in 0 inodes, 0 names and 0 stored chunks\n");
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CheckCommandTest, FaultsHaveAnExitCodeOfTheirOwn) {
  Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_EQ(Run({"check"}), ExitCode::kFaults);
  EXPECT_THAT(out_.str(), HasSubstr("home:/a (inode 5): its link count is 3, and should be 1\n"));
  EXPECT_THAT(out_.str(), HasSubstr("1 fault in"));
}

TEST_F(CheckCommandTest, PrintsNoMoreThanTheLimit) {
  for (int i = 0; i < 5; ++i) Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_EQ(Run({"check", "--limit", "2"}), ExitCode::kFaults);
  EXPECT_THAT(out_.str(), HasSubstr("... and 3 more\n"));
}

TEST_F(CheckCommandTest, JsonHasEveryField) {
  Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_EQ(Run({"check", "--json"}), ExitCode::kFaults);
  const auto json = nlohmann::json::parse(out_.str());
  EXPECT_EQ(json["faults"], 1);
  EXPECT_EQ(json["counts"]["link-count"], 1);
  EXPECT_EQ(json["list"][0]["path"], "/a");
  EXPECT_EQ(json["list"][0]["repair"], "possible");
}

TEST_F(CheckCommandTest, WhatCouldNotBeLookedAtIsNoSuccess) {
  status_.add_unchecked("chunkserver 2 is down");
  EXPECT_EQ(Run({"check"}), ExitCode::kFailed);
  EXPECT_THAT(out_.str(), HasSubstr("not looked at: chunkserver 2 is down\n"));
}

TEST_F(CheckCommandTest, InterruptionCancelsItOnTheServer) {
  status_ = Status(proto::CHECK_STATE_RUNNING);
  polls_until_interrupt_ = 3;
  EXPECT_CALL(api_, CancelCheck(7)).WillOnce([this](std::uint64_t) {
    status_ = Status(proto::CHECK_STATE_CANCELLED);
    return Result<void>();
  });
  EXPECT_EQ(Run({"check"}, true), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("following names 40 %"));
  EXPECT_THAT(err_.str(), HasSubstr("the check was cancelled"));
}

TEST_F(CheckCommandTest, RepairWithoutTerminalNeedsYes) {
  Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_CALL(api_, RepairCheck(_)).Times(0);
  EXPECT_EQ(Run({"check", "--repair"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("1 x set counts to what there is"));
  EXPECT_THAT(err_.str(), HasSubstr("--yes"));
}

TEST_F(CheckCommandTest, RepairAsksFirst) {
  Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_CALL(api_, RepairCheck(_)).Times(0);
  EXPECT_EQ(Run({"check", "--repair"}, true, "y\n"), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was repaired"));
}

TEST_F(CheckCommandTest, EverythingRepairedIsSuccess) {
  Find(LinkFault(proto::CHECK_REPAIR_POSSIBLE));
  EXPECT_CALL(api_, RepairCheck(7)).WillOnce([this](std::uint64_t) {
    faults_[0].set_repair(proto::CHECK_REPAIR_DONE);
    status_.set_repaired(1);
    return Result<void>();
  });
  EXPECT_EQ(Run({"check", "--repair"}, true, "repair\n"), ExitCode::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("[repaired]"));
  EXPECT_THAT(out_.str(), HasSubstr("1 repaired"));
}

TEST_F(CheckCommandTest, WhatCannotBeRepairedIsNotAskedFor) {
  Find(LinkFault(proto::CHECK_REPAIR_IMPOSSIBLE));
  EXPECT_EQ(Run({"check", "--repair", "--yes"}), ExitCode::kFaults);
}

TEST_F(CheckCommandTest, FailureSaysWhy) {
  status_ = Status(proto::CHECK_STATE_FAILED);
  status_.set_error("a record does not parse");
  EXPECT_EQ(Run({"check"}), ExitCode::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("a record does not parse"));
}

}  // namespace
}  // namespace gabion
