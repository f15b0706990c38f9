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

std::string VolumeTable(const VolumeEntries& volumes);
std::string ServerTable(const ServerEntries& servers);
std::string VolumeFacts(const proto::VolumeEntry& volume);
std::string StatusText(const proto::AdminStatusReply& status);

nlohmann::ordered_json VolumeJson(const proto::VolumeEntry& volume);
nlohmann::ordered_json ServerJson(const proto::ServerEntry& server);
nlohmann::ordered_json VolumesJson(const VolumeEntries& volumes);
nlohmann::ordered_json ServersJson(const ServerEntries& servers);
nlohmann::ordered_json StatusJson(const proto::AdminStatusReply& status);

/// Indented, with a newline at its end; bytes that are no UTF-8 are replaced.
std::string DumpJson(const nlohmann::ordered_json& json);

}  // namespace gabion
