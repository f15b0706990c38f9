#include "metaserver/store/record_codec.h"

#include <fmt/format.h>

#include "metaserver/store/key_codec.h"

namespace gabion {

std::string EncodeRecord(const google::protobuf::MessageLite& message) {
  std::string bytes;
  bytes.reserve(1 + message.ByteSizeLong());
  bytes.push_back(static_cast<char>(kRecordVersion));
  CHECK(message.AppendToString(&bytes));
  return bytes;
}

Result<void> DecodeRecordInto(std::string_view key, std::string_view bytes, google::protobuf::MessageLite& message) {
  if (bytes.empty())
    return Error(ErrorCode::kCorrupt, fmt::format("the metadata store's record {} is empty", DescribeKey(key)));
  const auto version = static_cast<std::uint8_t>(bytes.front());
  if (version != kRecordVersion) {
    return Error(ErrorCode::kVersionMismatch,
                 fmt::format("the metadata store's record {} has version {}, this program reads version {}: "
                             "start the release that wrote it",
                             DescribeKey(key), version, kRecordVersion));
  }
  if (!message.ParseFromArray(bytes.data() + 1, static_cast<int>(bytes.size() - 1))) {
    return Error(ErrorCode::kCorrupt, fmt::format("the metadata store's record {} ({} bytes) does not parse",
                                                  DescribeKey(key), bytes.size()));
  }
  return {};
}

}  // namespace gabion
