#include "common/rpc/error_frame.h"

#include "proto/common.pb.h"

namespace gabion {

void WriteError(const Error& error, Frame& frame) {
  std::string message = error.message().substr(0, kMaxErrorMessageBytes);
  // Protobuf refuses to parse strings that are not UTF-8, and messages quote file names, which may be anything.
  for (char& c : message) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  proto::ErrorDetail detail;
  detail.set_message(std::move(message));
  frame.status = error.code();
  frame.header = detail.SerializePartialAsString();
}

Error ReadError(const Frame& frame) {
  proto::ErrorDetail detail;
  if (!detail.ParseFromString(frame.header) || detail.message().empty()) {
    return {frame.status, "the server gave no reason"};
  }
  return {frame.status, detail.message()};
}

}  // namespace gabion
