#include "fs-client/fuse/handshake.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <span>

#include "common/base/log.h"
#include "common/env/real/os_error.h"

namespace gabion::fuse {
namespace {

/// What the kernel demands of a reader before INIT has set max_write.
constexpr std::size_t kBufferBytes = 256 << 10;

Result<void> Answer(int device, std::uint64_t unique, int error, const fuse_init_out& body) {
  fuse_init_out out = body;
  fuse_out_header header{};
  header.unique = unique;
  header.error = -error;
  header.len = static_cast<std::uint32_t>(sizeof header + (error == 0 ? sizeof out : 0));
  iovec parts[] = {{&header, sizeof header}, {&out, sizeof out}};
  if (writev(device, parts, error == 0 ? 2 : 1) < 0) return OsError("answering the kernel's FUSE INIT", errno);
  return {};
}

Result<std::size_t> ReadRequest(int device, std::span<std::byte> buffer, Duration timeout) {
  pollfd ready{device, POLLIN, 0};
  auto timeout_ms = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  int count = 0;
  do {
    count = poll(&ready, 1, timeout_ms);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return {ErrorCode::kDeadlineExceeded, "the kernel did not begin to talk FUSE on the new mount"};
  for (;;) {
    ssize_t size = read(device, buffer.data(), buffer.size());
    if (size > 0) return static_cast<std::size_t>(size);
    if (size < 0 && (errno == EINTR || errno == ENOENT)) continue;
    return OsError("reading the kernel's FUSE INIT", errno);
  }
}

}  // namespace

Result<Negotiated> Handshake(int device, const InitOptions& options, Duration timeout) {
  auto buffer = std::make_unique<std::byte[]>(kBufferBytes);
  TRY_ASSIGN(std::size_t size, ReadRequest(device, {buffer.get(), kBufferBytes}, timeout));
  TRY_ASSIGN(RequestBytes request, SplitDeviceRequest({buffer.get(), size}, Dialect{}));
  TRY_ASSIGN(Operation operation, Decode(request, Dialect{}));
  const auto* init = std::get_if<Init>(&operation);
  if (init == nullptr) return {ErrorCode::kProtocol, "the kernel's first FUSE request is not INIT"};

  Result<Negotiated> negotiated = Negotiate(init->init, options);
  if (!negotiated) {
    // The mount fails for whoever uses it; the user reads why from us.
    if (Result<void> answered = Answer(device, request.header.unique, EPROTO, {}); !answered) return answered.error();
    return negotiated.error();
  }
  TRY(Answer(device, request.header.unique, 0, negotiated->reply));
  return negotiated;
}

}  // namespace gabion::fuse
