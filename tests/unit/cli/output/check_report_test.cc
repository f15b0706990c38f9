#include "cli/output/check_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/output/report.h"

namespace gabion {
namespace {

using testing::HasSubstr;

proto::CheckFault FaultOf(int kind) {
  proto::CheckFault fault;
  fault.set_kind(static_cast<proto::CheckFaultKind>(kind));
  fault.set_volume_id(3);
  fault.set_volume("home");
  fault.set_ino(1234);
  return fault;
}

TEST(CheckReportTest, EveryKindHasANameAndALine) {
  std::set<std::string> names, lines;
  int kinds = 0;
  for (int kind = 1; proto::CheckFaultKind_IsValid(kind); ++kind, ++kinds) {
    names.insert(FaultName(static_cast<proto::CheckFaultKind>(kind)));
    const std::string line = FaultText(FaultOf(kind));
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_THAT(line, HasSubstr("home"));
    lines.insert(line);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kinds));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(lines.size(), static_cast<std::size_t>(kinds));
}

TEST(CheckReportTest, LostBytesAreNamedWithTheFile) {
  proto::CheckFault fault = FaultOf(proto::CHECK_FAULT_MISSING_CHUNK);
  fault.set_path("/db/table");
  fault.set_first_byte(67108864);
  fault.set_end_byte(67200000);
  fault.set_chunk_id(99);
  fault.set_pg_id(4);
  EXPECT_EQ(FaultText(fault),
            "home:/db/table (inode 1234): bytes 67108864 to 67200000 are lost: chunk 99 of placement group 4 is on no "
            "server in sync");
}

TEST(CheckReportTest, ChunkOfNoFileHasNoVolume) {
  proto::CheckFault fault;
  fault.set_kind(proto::CHECK_FAULT_ORPHAN_CHUNK);
  fault.set_chunk_id(99);
  fault.set_pg_id(4);
  fault.add_server_ids(1);
  fault.add_server_ids(3);
  EXPECT_EQ(FaultText(fault), "chunk 99 of placement group 4: no file has it; stored on chunkservers 1, 3");
}

TEST(CheckReportTest, PlanSumsUpByWhatIsDone) {
  CheckFaults faults;
  *faults.Add() = FaultOf(proto::CHECK_FAULT_LINK_COUNT);
  *faults.Add() = FaultOf(proto::CHECK_FAULT_ENTRY_COUNT);
  *faults.Add() = FaultOf(proto::CHECK_FAULT_DANGLING_NAME);
  EXPECT_EQ(RepairPlanText(faults), "");
  for (proto::CheckFault& fault : faults) fault.set_repair(proto::CHECK_REPAIR_POSSIBLE);
  EXPECT_EQ(RepairPlanText(faults),
            "  1 x remove names that lead to nothing (the files are gone already)\n"
            "  2 x set counts to what there is\n");
}

TEST(CheckReportTest, JsonSurvivesPathsThatAreNoUtf8) {
  CheckFaults faults;
  *faults.Add() = FaultOf(proto::CHECK_FAULT_LINK_COUNT);
  faults.Mutable(0)->set_path("/\xff");
  EXPECT_THAT(DumpJson(CheckJson(proto::CheckStatusReply(), faults)), HasSubstr("link-count"));
}

}  // namespace
}  // namespace gabion
