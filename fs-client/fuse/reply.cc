#include "fs-client/fuse/reply.h"

#include <cerrno>

#include "common/base/check.h"

namespace gabion::fuse {

Reply::~Reply() {
  if (sink_ != nullptr) Fail(EIO);
}

void Reply::Fail(int error) {
  Take().Send(target_, error, {});
}

bool Reply::SendBytes(std::span<const std::byte> body) {
  return Take().Send(target_, 0, body);
}

bool Reply::SendPayload(const Payload& body) {
  return Take().Send(target_, body);
}

std::span<std::byte> Reply::Scratch(std::size_t size) {
  CHECK(sink_ != nullptr);
  return sink_->Scratch(target_, size);
}

ReplySink& Reply::Take() {
  CHECK(sink_ != nullptr);  // a second reply to one request
  return *std::exchange(sink_, nullptr);
}

}  // namespace gabion::fuse
