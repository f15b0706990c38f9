#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "proto/admin.pb.h"

namespace gabion {

/// What the commands print, for people and for programs. JSON keys are the messages' field names; sizes are bytes,
/// exact. Its shape is documented in docs/operations.md and changes only by additions.
using VolumeEntries = google::protobuf::RepeatedPtrField<proto::VolumeEntry>;
using ServerEntries = google::protobuf::RepeatedPtrField<proto::ServerEntry>;
using PgStatuses = google::protobuf::RepeatedPtrField<proto::PgStatus>;
using ClientEntries = google::protobuf::RepeatedPtrField<proto::ClientEntry>;
using EventEntries = google::protobuf::RepeatedPtrField<proto::EventEntry>;

std::string VolumeTable(const VolumeEntries& volumes);
std::string ServerTable(const ServerEntries& servers);
std::string VolumeFacts(const proto::VolumeEntry& volume);
std::string StatusText(const proto::AdminStatusReply& status);
std::string PgTable(const PgStatuses& pgs);
std::string PgFacts(const proto::PgStatus& pg);
std::string ClientTable(const ClientEntries& clients);
std::string ClientFacts(const proto::ClientShowReply& shown);
std::string ScrubTable(const ServerEntries& servers);
std::string EventLines(const EventEntries& events);

nlohmann::ordered_json VolumeJson(const proto::VolumeEntry& volume);
nlohmann::ordered_json ServerJson(const proto::ServerEntry& server);
nlohmann::ordered_json VolumesJson(const VolumeEntries& volumes);
nlohmann::ordered_json ServersJson(const ServerEntries& servers);
nlohmann::ordered_json StatusJson(const proto::AdminStatusReply& status);
nlohmann::ordered_json PgJson(const proto::PgStatus& pg);
nlohmann::ordered_json PgsJson(const PgStatuses& pgs);
nlohmann::ordered_json ClientJson(const proto::ClientEntry& client);
nlohmann::ordered_json ClientsJson(const ClientEntries& clients);
nlohmann::ordered_json ShownClientJson(const proto::ClientShowReply& shown);
nlohmann::ordered_json ScrubJson(const proto::ServerEntry& server);
nlohmann::ordered_json ScrubsJson(const ServerEntries& servers);
nlohmann::ordered_json EventsJson(const EventEntries& events);

/// Indented, with a newline at its end; bytes that are no UTF-8 are replaced.
std::string DumpJson(const nlohmann::ordered_json& json);

}  // namespace gabion
