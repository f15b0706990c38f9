// Clients, for people and for programs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/output/format.h"
#include "cli/output/report.h"
#include "cli/output/table.h"

namespace gabion {

using Json = nlohmann::ordered_json;

namespace {

using Align = Table::Align;

const char* StateName(proto::ClientState state) {
  switch (state) {
    case proto::CLIENT_ACTIVE:
      return "active";
    case proto::CLIENT_SILENT:
      return "silent";
    case proto::CLIENT_EVICTING:
      return "evicting";
    case proto::CLIENT_EVICTED:
      return "evicted";
    case proto::CLIENT_RESUMING:
      return "resuming";
    default:
      return "unknown";
  }
}

std::string AgeText(std::uint64_t milliseconds) {
  return FormatAge(milliseconds / 1000);
}

std::string StateCell(const proto::ClientEntry& client) {
  if (client.state() != proto::CLIENT_SILENT) return StateName(client.state());
  return "silent " + AgeText(client.renewed_ms());
}

std::string RecallsCell(const proto::ClientEntry& client) {
  if (client.recalls() == 0) return "";
  return fmt::format("{} for {}", FormatCount(client.recalls()), AgeText(client.recall_ms()));
}

std::string RecallsText(const proto::ClientShowReply& shown) {
  if (shown.client().recalls() == 0) return "nothing";
  std::string text = FormatCountOf(shown.client().recalls(), "lease") + ":";
  for (const proto::ClientRecall& recall : shown.oldest_recalls()) {
    text += fmt::format(" inode {}{} for {},", recall.ino(), recall.write() ? " (to write)" : "",
                        AgeText(recall.asked_ms()));
  }
  text.pop_back();
  const bool has_more = shown.client().recalls() > static_cast<std::uint64_t>(shown.oldest_recalls_size());
  return has_more ? text + ", ..." : text;
}

std::string DirtyText(const proto::ClientShowReply& shown) {
  if (!shown.has_dirty_bytes()) return "not known: it has not been renewed, or its client is of an older release";
  return fmt::format("{} ({} bytes), as of the last renewal", FormatBytes(shown.dirty_bytes()),
                     FormatCount(shown.dirty_bytes()));
}

}  // namespace

std::string ClientTable(const ClientEntries& clients) {
  if (clients.empty()) return "no clients; mount a volume with: gabion-mount HOST:PORT:/VOLUME DIRECTORY\n";
  Table table({{"SESSION", Align::kRight},
               {"VOLUME"},
               {"HOST"},
               {"MOUNTPOINT"},
               {"STATE"},
               {"MODE"},
               {"HANDLES", Align::kRight},
               {"LEASES", Align::kRight},
               {"TO RETURN"},
               {"SOFTWARE"}});
  for (const proto::ClientEntry& client : clients) {
    table.AddRow({std::to_string(client.session_id()), client.volume(), client.host(), client.mountpoint(),
                  StateCell(client), client.read_only() ? "ro" : "rw", FormatCount(client.open_handles()),
                  FormatCount(client.leases()), RecallsCell(client), client.software()});
  }
  return table.ToString();
}

std::string ClientFacts(const proto::ClientShowReply& shown) {
  const proto::ClientEntry& client = shown.client();
  return FormatFacts(
      {{"session", std::to_string(client.session_id())},
       {"volume", client.volume()},
       {"host", client.host()},
       {"mountpoint", client.mountpoint()},
       {"state", StateCell(client)},
       {"mode", client.read_only() ? "read-only" : "read and write"},
       {"software", client.software()},
       {"opened", FormatUtc(client.opened_ns())},
       {"last heard", fmt::format("{} ago, renewed {} ago", AgeText(client.heard_ms()), AgeText(client.renewed_ms()))},
       {"open handles", FormatCount(client.open_handles())},
       {"leases",
        fmt::format("{} to read, {} to write", FormatCount(shown.read_leases()), FormatCount(shown.write_leases()))},
       {"has to return", RecallsText(shown)},
       {"recalls", FormatCount(shown.recalls_total()) + " since it was opened, or the metaserver started"},
       {"locks", fmt::format("{} held, {} waited for", FormatCount(shown.locks()), FormatCount(shown.lock_waits()))},
       {"dirty", DirtyText(shown)},
       {"evictions", FormatCount(shown.evictions())}});
}

Json ClientJson(const proto::ClientEntry& client) {
  return {{"session_id", client.session_id()},
          {"volume_id", client.volume_id()},
          {"volume", client.volume()},
          {"host", client.host()},
          {"mountpoint", client.mountpoint()},
          {"software", client.software()},
          {"read_only", client.read_only()},
          {"state", StateName(client.state())},
          {"renewed_ms", client.renewed_ms()},
          {"heard_ms", client.heard_ms()},
          {"opened_ns", client.opened_ns()},
          {"opened", FormatUtc(client.opened_ns())},
          {"open_handles", client.open_handles()},
          {"leases", client.leases()},
          {"recalls", client.recalls()},
          {"recall_ms", client.recall_ms()}};
}

Json ClientsJson(const ClientEntries& clients) {
  Json array = Json::array();
  for (const proto::ClientEntry& client : clients) array.push_back(ClientJson(client));
  return array;
}

Json ShownClientJson(const proto::ClientShowReply& shown) {
  Json json = ClientJson(shown.client());
  Json recalls = Json::array();
  for (const proto::ClientRecall& recall : shown.oldest_recalls()) {
    recalls.push_back({{"ino", recall.ino()}, {"write", recall.write()}, {"asked_ms", recall.asked_ms()}});
  }
  json["read_leases"] = shown.read_leases();
  json["write_leases"] = shown.write_leases();
  json["oldest_recalls"] = std::move(recalls);
  json["recalls_total"] = shown.recalls_total();
  json["locks"] = shown.locks();
  json["lock_waits"] = shown.lock_waits();
  json["dirty_bytes"] = shown.has_dirty_bytes() ? Json(shown.dirty_bytes()) : Json(nullptr);
  json["evictions"] = shown.evictions();
  return json;
}

}  // namespace gabion
