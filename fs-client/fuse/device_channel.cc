#include "fs-client/fuse/device_channel.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/base/log.h"
#include "common/env/real/os_error.h"

namespace gabion::fuse {
namespace {

/// Requests of one turn: after so many, sockets and timers get theirs.
constexpr int kMaxRequestsPerTurn = 16;
/// A WRITE is its data with two structs before it; the kernel refuses to fill a shorter buffer.
constexpr std::size_t kHeaderRoom = 4096;
/// Slices of a reply that are gathered where they lie; more are copied together.
constexpr std::size_t kMaxParts = 255;

}  // namespace

DeviceChannel::DeviceChannel(UniqueFd device, std::size_t max_write_bytes, Dialect dialect, RequestSink& sink,
                             ConnectionEvents& events)
    : device_(std::move(device)),
      buffer_bytes_(std::max<std::size_t>(max_write_bytes + kHeaderRoom, FUSE_MIN_READ_BUFFER)),
      dialect_(dialect),
      sink_(sink),
      events_(events) {}

DeviceChannel::~DeviceChannel() = default;

Result<void> DeviceChannel::Start() {
  int flags = fcntl(device_.get(), F_GETFL);
  if (flags < 0 || fcntl(device_.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return OsError("making the FUSE device non-blocking", errno);
  }
  // Not cleared: what is not touched costs no memory, and most requests touch one page.
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes_);
  return {};
}

bool DeviceChannel::Poll() {
  bool found = false;
  for (int i = 0; i < kMaxRequestsPerTurn && !ended_; ++i) {
    if (ReadOne() != ReadResult::kRequest) break;
    found = true;
  }
  return found;
}

DeviceChannel::ReadResult DeviceChannel::ReadOne() {
  for (;;) {
    ssize_t size = read(device_.get(), buffer_.get(), buffer_bytes_);
    if (size > 0) {
      std::span<const std::byte> bytes(buffer_.get(), static_cast<std::size_t>(size));
      Result<RequestBytes> request = SplitDeviceRequest(bytes, dialect_);
      if (request) {
        sink_.OnRequest(*request, Reply(*this, {request->header.unique, nullptr}));
      } else {
        sink_.OnGarbage(request.error());
      }
      return ReadResult::kRequest;
    }
    if (size == 0) errno = ENODEV;
    // ENOENT: the request was interrupted and taken back while we were reading it.
    if (errno == EINTR || errno == ENOENT) continue;
    if (errno == EAGAIN) return ReadResult::kNothing;
    End(errno == ENODEV ? 0 : errno);
    return ReadResult::kEnded;
  }
}

bool DeviceChannel::Send(ReplyTarget target, int error, std::span<const std::byte> body) {
  iovec part{const_cast<std::byte*>(body.data()), body.size()};
  return Write(target, error, &part, body.empty() ? 0 : 1);
}

bool DeviceChannel::Send(ReplyTarget target, const Payload& body) {
  if (body.slices().size() > kMaxParts) {
    Slice joined = body.Joined();
    return Send(target, 0, joined.span());
  }
  iovec parts[kMaxParts];
  std::size_t count = 0;
  for (const Slice& slice : body.slices()) {
    parts[count++] = {const_cast<std::byte*>(slice.data()), slice.size()};
  }
  return Write(target, 0, parts, count);
}

bool DeviceChannel::Write(ReplyTarget target, int error, const iovec* parts, std::size_t count) {
  fuse_out_header header{};
  iovec all[kMaxParts + 1];
  std::size_t size = sizeof header;
  for (std::size_t i = 0; i < count; ++i) {
    all[i + 1] = parts[i];
    size += parts[i].iov_len;
  }
  header.len = static_cast<std::uint32_t>(size);
  header.error = -error;
  header.unique = target.unique;
  all[0] = {&header, sizeof header};
  if (writev(device_.get(), all, static_cast<int>(count + 1)) >= 0) return true;
  int problem = errno;
  if (problem == ENOENT) return false;
  if (problem == ENODEV || problem == ENOTCONN || problem == ECONNABORTED) {
    End(problem == ENODEV ? 0 : problem);
    return false;
  }
  LogError("the kernel refuses a reply of {} bytes (error {}) to a FUSE request: {}", size, error, strerror(problem));
  if (error == 0) Write(target, EIO, nullptr, 0);  // or its caller would wait for ever
  return false;
}

std::span<std::byte> DeviceChannel::Scratch(ReplyTarget, std::size_t size) {
  if (scratch_bytes_ < size) {
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(size);
    scratch_bytes_ = size;
  }
  return {scratch_.get(), size};
}

void DeviceChannel::End(int error) {
  if (ended_) return;
  ended_ = true;
  events_.OnConnectionEnded(error);
}

Result<UniqueFd> CloneDevice(int device) {
  UniqueFd clone(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (clone) {
    auto number = static_cast<std::uint32_t>(device);
    if (ioctl(clone.get(), FUSE_DEV_IOC_CLONE, &number) == 0) return clone;
  }
  UniqueFd duplicate(fcntl(device, F_DUPFD_CLOEXEC, 0));
  if (!duplicate) return OsError("duplicating the FUSE device", errno);
  return duplicate;
}

}  // namespace gabion::fuse
