#pragma once

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gabion {

/// Records are one version byte and a Protobuf message (metaserver/store/records.proto). Protobuf lets fields be added;
/// the version is raised when an older program must not touch the record.
inline constexpr std::uint8_t kRecordVersion = 1;

std::string EncodeRecord(const google::protobuf::MessageLite& message);

/// Parses the record found under `key` into `message`. Errors: kVersionMismatch for a version this program does not
/// know, kCorrupt for anything that does not parse; both name the key and say what to do.
Result<void> DecodeRecordInto(std::string_view key, std::string_view bytes, google::protobuf::MessageLite& message);

template <typename Record>
Result<Record> DecodeRecord(std::string_view key, std::string_view bytes) {
  Record record;
  TRY(DecodeRecordInto(key, bytes, record));
  return record;
}

}  // namespace gabion
