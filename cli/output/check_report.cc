#include "cli/output/check_report.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/output/format.h"

namespace gabion {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t FaultsOf(const proto::CheckStatusReply& status) {
  std::uint64_t count = 0;
  for (const proto::CheckFaultCount& entry : status.counts()) count += entry.count();
  return count;
}

std::string ServersOf(const proto::CheckFault& fault) {
  std::string text = fault.server_ids_size() == 1 ? "chunkserver" : "chunkservers";
  for (int i = 0; i < fault.server_ids_size(); ++i)
    text += fmt::format("{} {}", i == 0 ? "" : ",", fault.server_ids(i));
  return text;
}

/// "volume:/path", as far as it is known.
std::string PlaceOf(const proto::CheckFault& fault) {
  if (fault.volume_id() == 0) return fmt::format("chunk {} of placement group {}", fault.chunk_id(), fault.pg_id());
  const std::string volume = fault.volume().empty() ? std::to_string(fault.volume_id()) : fault.volume();
  if (!fault.path().empty()) return fmt::format("{}:{} (inode {})", volume, fault.path(), fault.ino());
  if (!fault.name().empty()) return fmt::format("{}: name '{}' in directory {}", volume, fault.name(), fault.parent());
  if (fault.ino() != 0) return fmt::format("{}: inode {}", volume, fault.ino());
  return fmt::format("volume {}", volume);
}

std::string CountText(const char* what, const proto::CheckFault& fault) {
  return fmt::format("{} is {}, and should be {}", what, fault.recorded(), fault.found());
}

std::string ProblemOf(const proto::CheckFault& fault) {
  switch (fault.kind()) {
    case proto::CHECK_FAULT_LINK_COUNT:
      return CountText("its link count", fault);
    case proto::CHECK_FAULT_ENTRY_COUNT:
      return CountText("its count of entries", fault);
    case proto::CHECK_FAULT_CHUNK_COUNT:
      return CountText("its count of chunk records", fault);
    case proto::CHECK_FAULT_XATTR_COUNT:
      return CountText("its count of xattrs", fault);
    case proto::CHECK_FAULT_XATTR_BYTES:
      return CountText("its count of bytes in xattrs", fault);
    case proto::CHECK_FAULT_VOLUME_INODES:
      return CountText("the count of inodes", fault);
    case proto::CHECK_FAULT_VOLUME_BYTES:
      return CountText("the count of bytes used", fault);
    case proto::CHECK_FAULT_DANGLING_NAME:
      return fmt::format("the name leads to inode {}, which does not exist", fault.ino());
    case proto::CHECK_FAULT_NAME_TYPE:
      return fmt::format("the name has type {:o}, its inode {:o}", fault.recorded(), fault.found());
    case proto::CHECK_FAULT_LOST_NAMES:
      return fmt::format("{} in a directory that does not exist", FormatCountOf(fault.found(), "name"));
    case proto::CHECK_FAULT_LOST_INODE:
      return "no name leads to it";
    case proto::CHECK_FAULT_DIRECTORY_NAMES:
      return fmt::format("the directory has {} and should have {}", FormatCountOf(fault.found(), "name"),
                         fault.recorded());
    case proto::CHECK_FAULT_PARENT:
      return fmt::format("the directory says that it is in inode {}, but its name is in {}", fault.recorded(),
                         fault.found());
    case proto::CHECK_FAULT_STRAY_RECORDS:
      return fmt::format("{} left of an inode that does not exist", FormatCountOf(fault.found(), "record"));
    case proto::CHECK_FAULT_ORPHAN_CHUNK:
      return fmt::format("no file has it; stored on {}", ServersOf(fault));
    case proto::CHECK_FAULT_MISSING_CHUNK:
      return fmt::format("bytes {} to {} are lost: chunk {} of placement group {} is on no server in sync",
                         fault.first_byte(), fault.end_byte(), fault.chunk_id(), fault.pg_id());
    case proto::CHECK_FAULT_MISSING_COPY:
      return fmt::format("bytes {} to {}: chunk {} of placement group {} is missing on {}", fault.first_byte(),
                         fault.end_byte(), fault.chunk_id(), fault.pg_id(), ServersOf(fault));
    default:
      return "a fault that this release does not know";
  }
}

/// What is done about faults of a kind.
const char* RepairOf(proto::CheckFaultKind kind) {
  switch (kind) {
    case proto::CHECK_FAULT_DANGLING_NAME:
      return "remove names that lead to nothing (the files are gone already)";
    case proto::CHECK_FAULT_NAME_TYPE:
      return "set types of names to those of their inodes";
    case proto::CHECK_FAULT_LOST_INODE:
      return "give inodes without a name one in the volume's root: lost+found-INODE";
    case proto::CHECK_FAULT_PARENT:
      return "set the parents of directories";
    case proto::CHECK_FAULT_STRAY_RECORDS:
      return "remove records of inodes that do not exist, with their chunks";
    case proto::CHECK_FAULT_ORPHAN_CHUNK:
      return "delete chunks that no file has";
    default:
      return "set counts to what there is";
  }
}

const char* RepairStateName(proto::CheckRepairState state) {
  switch (state) {
    case proto::CHECK_REPAIR_POSSIBLE:
      return "possible";
    case proto::CHECK_REPAIR_DONE:
      return "done";
    case proto::CHECK_REPAIR_SKIPPED:
      return "skipped";
    default:
      return "impossible";
  }
}

Json FaultJson(const proto::CheckFault& fault) {
  return {{"kind", FaultName(fault.kind())},
          {"volume", fault.volume()},
          {"volume_id", fault.volume_id()},
          {"ino", fault.ino()},
          {"parent", fault.parent()},
          {"name", fault.name()},
          {"path", fault.path()},
          {"recorded", fault.recorded()},
          {"found", fault.found()},
          {"chunk_id", fault.chunk_id()},
          {"pg_id", fault.pg_id()},
          {"server_ids", std::vector<std::uint32_t>(fault.server_ids().begin(), fault.server_ids().end())},
          {"first_byte", fault.first_byte()},
          {"end_byte", fault.end_byte()},
          {"repair", RepairStateName(fault.repair())}};
}

}  // namespace

const char* FaultName(proto::CheckFaultKind kind) {
  switch (kind) {
    case proto::CHECK_FAULT_LINK_COUNT:
      return "link-count";
    case proto::CHECK_FAULT_ENTRY_COUNT:
      return "entry-count";
    case proto::CHECK_FAULT_CHUNK_COUNT:
      return "chunk-count";
    case proto::CHECK_FAULT_XATTR_COUNT:
      return "xattr-count";
    case proto::CHECK_FAULT_XATTR_BYTES:
      return "xattr-bytes";
    case proto::CHECK_FAULT_VOLUME_INODES:
      return "volume-inodes";
    case proto::CHECK_FAULT_VOLUME_BYTES:
      return "volume-bytes";
    case proto::CHECK_FAULT_DANGLING_NAME:
      return "dangling-name";
    case proto::CHECK_FAULT_NAME_TYPE:
      return "name-type";
    case proto::CHECK_FAULT_LOST_NAMES:
      return "lost-names";
    case proto::CHECK_FAULT_LOST_INODE:
      return "lost-inode";
    case proto::CHECK_FAULT_DIRECTORY_NAMES:
      return "directory-names";
    case proto::CHECK_FAULT_PARENT:
      return "parent";
    case proto::CHECK_FAULT_STRAY_RECORDS:
      return "stray-records";
    case proto::CHECK_FAULT_ORPHAN_CHUNK:
      return "orphan-chunk";
    case proto::CHECK_FAULT_MISSING_CHUNK:
      return "missing-chunk";
    case proto::CHECK_FAULT_MISSING_COPY:
      return "missing-copy";
    default:
      return "unknown";
  }
}

std::string FaultText(const proto::CheckFault& fault) {
  std::string text = PlaceOf(fault) + ": " + ProblemOf(fault);
  if (fault.repair() == proto::CHECK_REPAIR_DONE) text += " [repaired]";
  if (fault.repair() == proto::CHECK_REPAIR_SKIPPED) text += " [not repaired: it has changed since; check again]";
  return text;
}

std::string CheckProgressText(const proto::CheckStatusReply& status) {
  const std::string share = status.percent() > 0 ? fmt::format(" {} %", status.percent()) : "";
  return fmt::format("{}{}: {}, {}, {} looked at", status.phase(), share, FormatCountOf(status.inodes(), "inode"),
                     FormatCountOf(status.names(), "name"), FormatCountOf(status.chunks(), "chunk"));
}

std::string CheckText(const proto::CheckStatusReply& status, const CheckFaults& faults) {
  std::string text;
  for (const proto::CheckFault& fault : faults) text += FaultText(fault) + "\n";
  const std::uint64_t count = FaultsOf(status);
  const auto shown = static_cast<std::uint64_t>(faults.size());
  if (shown < count) text += fmt::format("... and {} more\n", FormatCount(count - shown));
  for (const std::string& what : status.unchecked()) text += "not looked at: " + what + "\n";
  const std::string seen =
      fmt::format("{}, {} and {}", FormatCountOf(status.inodes(), "inode"), FormatCountOf(status.names(), "name"),
                  FormatCountOf(status.chunks(), "stored chunk"));
  if (count == 0) return text + fmt::format("no faults in {}\n", seen);
  text += fmt::format("{} in {}:", FormatCountOf(count, "fault"), seen);
  for (int i = 0; i < status.counts_size(); ++i) {
    text += fmt::format("{} {} {}", i == 0 ? "" : ",", FormatCount(status.counts(i).count()),
                        FaultName(status.counts(i).kind()));
  }
  if (status.repaired() > 0) text += fmt::format("; {} repaired", FormatCount(status.repaired()));
  return text + "\n";
}

std::string RepairPlanText(const CheckFaults& faults) {
  std::map<std::string, std::uint64_t> plan;
  for (const proto::CheckFault& fault : faults) {
    if (fault.repair() == proto::CHECK_REPAIR_POSSIBLE) ++plan[RepairOf(fault.kind())];
  }
  std::string text;
  for (const auto& [what, count] : plan) text += fmt::format("  {} x {}\n", FormatCount(count), what);
  return text;
}

Json CheckJson(const proto::CheckStatusReply& status, const CheckFaults& faults) {
  Json json = {{"check_id", status.check_id()},
               {"inodes", status.inodes()},
               {"names", status.names()},
               {"chunks", status.chunks()},
               {"faults", FaultsOf(status)},
               {"repaired", status.repaired()},
               {"unwritten_chunks", status.unwritten_chunks()},
               {"unchecked", std::vector<std::string>(status.unchecked().begin(), status.unchecked().end())},
               {"counts", Json::object()},
               {"list", Json::array()}};
  for (const proto::CheckFaultCount& entry : status.counts()) json["counts"][FaultName(entry.kind())] = entry.count();
  for (const proto::CheckFault& fault : faults) json["list"].push_back(FaultJson(fault));
  return json;
}

}  // namespace gabion
