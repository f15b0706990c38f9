#include "fs-client/fuse/uring_channel.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/env/real/os_error.h"
#include "fs-client/fuse/decode.h"

namespace gabion::fuse {
namespace {

constexpr unsigned kSubmissionEntries = 256;
/// Times that one Poll asks the kernel for more, before sockets and timers get their turn.
constexpr int kMaxRounds = 4;
constexpr std::size_t kPageBytes = 4096;
/// Where a 128-byte SQE's command area begins.
constexpr std::size_t kSqeCommandOffset = 48;
constexpr std::size_t kSqeBytes = 128;

io_uring_params RingParameters() {
  io_uring_params parameters{};
  // Completions are delivered when this thread asks, never by interrupting it.
  parameters.flags =
      IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  return parameters;
}

}  // namespace

struct UringChannel::Queue {
  std::uint16_t id = 0;
  unsigned entries = 0;
  unsigned waiting = 0;  // entries that the kernel holds
  std::vector<std::unique_ptr<Region>> regions;
};

struct UringChannel::Entry {
  Queue* queue = nullptr;
  RingRequestHeader* header = nullptr;
  std::byte* payload = nullptr;
  iovec parts[2]{};
};

/// Headers and payloads are apart, so that payloads that were never used take no memory.
struct UringChannel::Region {
  Region(unsigned count, std::size_t payload_bytes)
      : header_bytes(RoundUpToPage(count * sizeof(RingRequestHeader))), bytes(header_bytes + count * payload_bytes) {
    void* place = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory = place == MAP_FAILED ? nullptr : static_cast<std::byte*>(place);
    entries.resize(count);
  }
  ~Region() {
    if (memory != nullptr) munmap(memory, bytes);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  static std::size_t RoundUpToPage(std::size_t size) { return (size + kPageBytes - 1) / kPageBytes * kPageBytes; }

  std::size_t header_bytes;
  std::size_t bytes;
  std::byte* memory;
  std::vector<Entry> entries;
};

UringChannel::UringChannel(int device, Options options, RequestSink& sink, ConnectionEvents& events)
    : device_(device), options_(std::move(options)), sink_(sink), events_(events) {}

UringChannel::~UringChannel() {
  // Takes the commands back from the kernel before their memory goes.
  if (ring_open_) io_uring_queue_exit(&ring_);
}

Result<void> UringChannel::Start() {
  io_uring_params parameters = RingParameters();
  int error = io_uring_queue_init_params(kSubmissionEntries, &ring_, &parameters);
  if (error < 0) return OsError("making an io_uring", -error, ErrorCode::kNotSupported);
  ring_open_ = true;
  wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return OsError("making an eventfd", errno);
  error = io_uring_register_eventfd(&ring_, wake_.get());
  if (error < 0) return OsError("telling an io_uring its eventfd", -error, ErrorCode::kNotSupported);
  for (std::uint16_t id : options_.queues) {
    queues_.push_back(std::make_unique<Queue>());
    queues_.back()->id = id;
    TRY(AddEntries(*queues_.back(), options_.first_entries));
  }
  // What the kernel refuses it refuses at once; without every queue it would never send anything.
  Enter();
  Reap();
  if (end_error_) return OsError("registering with the kernel's FUSE rings", *end_error_, ErrorCode::kNotSupported);
  return {};
}

Result<void> UringChannel::AddEntries(Queue& queue, unsigned count) {
  std::size_t payload_bytes = Region::RoundUpToPage(options_.payload_bytes);
  auto region = std::make_unique<Region>(count, payload_bytes);
  if (region->memory == nullptr) return OsError("taking memory for FUSE requests", errno);
  for (unsigned i = 0; i < count; ++i) {
    Entry& entry = region->entries[i];
    entry.queue = &queue;
    entry.header = reinterpret_cast<RingRequestHeader*>(region->memory) + i;
    entry.payload = region->memory + region->header_bytes + i * payload_bytes;
    entry.parts[0] = {entry.header, sizeof *entry.header};
    entry.parts[1] = {entry.payload, payload_bytes};
    Arm(entry, RingCommand::kRegister);
  }
  queue.entries += count;
  queue.regions.push_back(std::move(region));
  return {};
}

void UringChannel::GrowIfBusy(Queue& queue) {
  if (queue.waiting > 0 || queue.entries >= options_.max_entries) return;
  unsigned count = std::min(queue.entries, options_.max_entries - queue.entries);
  // Without memory it goes on with what it has: requests wait in the kernel.
  if (Result<void> added = AddEntries(queue, count); !added) LogWarning("{}", added.error().message());
}

void UringChannel::Arm(Entry& entry, RingCommand command) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
    CHECK(sqe != nullptr);
  }
  std::memset(static_cast<void*>(sqe), 0, kSqeBytes);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->fd = device_;
  sqe->cmd_op = static_cast<std::uint32_t>(command);
  sqe->addr = reinterpret_cast<std::uint64_t>(entry.parts);
  sqe->len = 2;
  sqe->user_data = reinterpret_cast<std::uint64_t>(&entry);
  RingCommandRequest request{};
  request.commit_id = command == RingCommand::kRegister ? 0 : entry.header->entry.commit_id;
  request.queue_id = entry.queue->id;
  std::memcpy(reinterpret_cast<std::byte*>(sqe) + kSqeCommandOffset, &request, sizeof request);
  ++entry.queue->waiting;
}

bool UringChannel::Poll() {
  bool found = false;
  for (int round = 0; round < kMaxRounds && !end_error_; ++round) {
    Enter();
    if (Reap() == 0) return found || Quieten();
    found = true;
    idle_polls_ = 0;
  }
  Enter();
  return found;
}

/// Takes back the eventfd's signals, or what has been handled would wake the loop again. True if something came while
/// it did so. Of the two polls before the loop sleeps only the first pays for it; a signal that arrived late, after its
/// work was seen, is met by the third, which the loop makes when it was woken for nothing.
bool UringChannel::Quieten() {
  constexpr unsigned kSecond = 2;
  if (++idle_polls_ == kSecond) return false;
  eventfd_t count = 0;
  eventfd_read(wake_.get(), &count);
  Enter();
  if (Reap() == 0) return false;
  idle_polls_ = 0;
  return true;
}

/// Commits what was answered and lets the kernel deliver what has come, in one system call; none if there is neither.
void UringChannel::Enter() {
  constexpr unsigned kWorkWaits = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
  bool work_waits = (__atomic_load_n(ring_.sq.kflags, __ATOMIC_ACQUIRE) & kWorkWaits) != 0;
  if (!work_waits && io_uring_sq_ready(&ring_) == 0) return;
  int result = io_uring_submit_and_get_events(&ring_);
  if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) End(-result);
}

unsigned UringChannel::Reap() {
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  while (!end_error_ && io_uring_cq_ready(&ring_) > 0 && io_uring_peek_cqe(&ring_, &cqe) == 0) {
    auto* entry = reinterpret_cast<Entry*>(cqe->user_data);
    int result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);  // before the handler, which may come here again through a full queue
    OnCompletion(*entry, result);
    ++count;
  }
  return count;
}

void UringChannel::OnCompletion(Entry& entry, int result) {
  --entry.queue->waiting;
  if (result < 0) {
    // ENOTCONN: unmounted. ECANCELED comes with the ring's own end.
    return End(result == -ENOTCONN || result == -ENODEV || result == -ECANCELED ? 0 : -result);
  }
  RequestBytes request;
  std::memcpy(&request.header, entry.header->in_out, sizeof request.header);
  std::size_t argument_size = std::min(ArgumentSize(request.header.opcode, Dialect{}), kRingHeaderBytes);
  request.argument = {entry.header->op_in, argument_size};
  std::size_t rest_size = std::min<std::size_t>(entry.header->entry.payload_size, entry.parts[1].iov_len);
  request.rest = {entry.payload, rest_size};
  sink_.OnRequest(request, Reply(*this, {request.header.unique, &entry}));
  GrowIfBusy(*entry.queue);
}

bool UringChannel::Send(ReplyTarget target, int error, std::span<const std::byte> body) {
  auto& entry = *static_cast<Entry*>(target.slot);
  if (body.size() > entry.parts[1].iov_len) {
    LogError("a reply of {} bytes to a FUSE request is longer than any request asked for", body.size());
    Commit(entry, target, EIO, 0);
    return false;
  }
  if (!body.empty() && body.data() != entry.payload) std::memmove(entry.payload, body.data(), body.size());
  Commit(entry, target, error, body.size());
  return true;
}

bool UringChannel::Send(ReplyTarget target, const Payload& body) {
  auto& entry = *static_cast<Entry*>(target.slot);
  if (body.size() > entry.parts[1].iov_len) return Send(target, 0, body.Joined().span());
  body.CopyTo(entry.payload);
  Commit(entry, target, 0, body.size());
  return true;
}

std::span<std::byte> UringChannel::Scratch(ReplyTarget target, std::size_t size) {
  auto& entry = *static_cast<Entry*>(target.slot);
  return {entry.payload, std::min(size, entry.parts[1].iov_len)};
}

void UringChannel::Commit(Entry& entry, ReplyTarget target, int error, std::size_t size) {
  if (end_error_) return;
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + size);
  header.error = -error;
  header.unique = target.unique;
  std::memcpy(entry.header->in_out, &header, sizeof header);
  entry.header->entry.payload_size = static_cast<std::uint32_t>(size);
  // The loop polls before it sleeps: all replies of a turn go in one system call.
  Arm(entry, RingCommand::kCommitAndFetch);
}

void UringChannel::End(int error) {
  if (end_error_) return;
  end_error_ = error;
  events_.OnConnectionEnded(error);
}

Result<void> ProbeUring() {
  io_uring_params parameters = RingParameters();
  io_uring ring{};
  int error = io_uring_queue_init_params(4, &ring, &parameters);
  if (error < 0) {
    return OsError("making an io_uring (see sysctl kernel.io_uring_disabled)", -error, ErrorCode::kNotSupported);
  }
  io_uring_queue_exit(&ring);
  return {};
}

}  // namespace gabion::fuse
