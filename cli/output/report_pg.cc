// Placement groups, for people.
#include <fmt/core.h>

#include <algorithm>

#include "cli/output/format.h"
#include "cli/output/report.h"
#include "cli/output/table.h"

namespace gabion {
namespace {

using Align = Table::Align;

std::uint64_t InSync(const proto::PgStatus& pg) {
  return static_cast<std::uint64_t>(std::count_if(pg.members().begin(), pg.members().end(), [](const auto& member) {
    return member.state() == proto::PG_MEMBER_IN_SYNC && member.alive();
  }));
}

std::string StateCell(const proto::PgStatus& pg) {
  if (InSync(pg) == 0) return "unavailable";
  if (!pg.writable()) return "read-only";
  return InSync(pg) < pg.replicas() ? "degraded" : "ok";
}

/// "1* 2 3" with the primary marked; of those that lack data, what becomes of them.
std::string MembersCell(const proto::PgStatus& pg) {
  std::string text;
  for (const proto::PgMemberEntry& member : pg.members()) {
    if (!text.empty()) text += ' ';
    text += std::to_string(member.server_id());
    if (member.server_id() == pg.primary()) text += '*';
    if (member.state() == proto::PG_MEMBER_JOINING) text += "(joining)";
    if (member.state() == proto::PG_MEMBER_AWAY) text += "(away)";
    if (member.state() == proto::PG_MEMBER_IN_SYNC && !member.alive()) text += "(down)";
  }
  return text;
}

std::string LeftCell(const proto::PgStatus& pg) {
  std::uint64_t bytes_left = 0;
  bool known = false;
  for (const proto::PgMemberEntry& member : pg.members()) {
    bytes_left += member.bytes_left();
    known |= member.progress_known();
  }
  return known ? FormatBytes(bytes_left) : "";
}

std::string MemberLine(const proto::PgStatus& pg, const proto::PgMemberEntry& member) {
  const std::string down = member.alive() ? "" : ", its server is down";
  switch (member.state()) {
    case proto::PG_MEMBER_JOINING:
      if (!member.progress_known()) return "is brought in sync" + down;
      return fmt::format("is brought in sync: {}, {} left, {} sent", FormatCountOf(member.chunks_left(), "chunk"),
                         FormatBytes(member.bytes_left()), FormatBytes(member.bytes_sent())) +
             down;
    case proto::PG_MEMBER_AWAY:
      return fmt::format("away since epoch {}", member.since_epoch()) + down;
    default:
      return (member.server_id() == pg.primary() ? "in sync, the primary" : "in sync") + down;
  }
}

}  // namespace

std::string PgTable(const PgStatuses& pgs) {
  if (pgs.empty())
    return "no placement groups; they are made with the first volume, once there are enough chunkservers\n";
  Table table({{"PG", Align::kRight},
               {"STATE"},
               {"IN SYNC", Align::kRight},
               {"EPOCH", Align::kRight},
               {"MEMBERS"},
               {"LEFT", Align::kRight}});
  for (const proto::PgStatus& pg : pgs) {
    table.AddRow({std::to_string(pg.pg_id()), StateCell(pg), fmt::format("{} of {}", InSync(pg), pg.replicas()),
                  std::to_string(pg.epoch()), MembersCell(pg), LeftCell(pg)});
  }
  return table.ToString();
}

std::string PgFacts(const proto::PgStatus& pg) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"placement group", std::to_string(pg.pg_id())},
      {"state", StateCell(pg)},
      {"in sync", fmt::format("{} of {}; changes wait below {}", InSync(pg), pg.replicas(), pg.min_replicas())},
      {"epoch", std::to_string(pg.epoch())}};
  for (const proto::PgMemberEntry& member : pg.members())
    facts.emplace_back(fmt::format("chunkserver {}", member.server_id()), MemberLine(pg, member));
  return FormatFacts(facts);
}

}  // namespace gabion
