#include "fs-client/fuse/fuse_server.h"

#include <algorithm>
#include <asio/post.hpp>
#include <cstring>
#include <fstream>
#include <future>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "fs-client/fuse/uring_queues.h"

namespace gabion::fuse {
namespace {

constexpr const char* kPossibleCpus = "/sys/devices/system/cpu/possible";
/// Of all rings together, as far as it was ever touched; what an entry's buffer costs when every request is a 1 MiB
/// read.
constexpr std::size_t kMaxRingBytes = 256u << 20;
constexpr unsigned kMinEntries = 4;
constexpr unsigned kMaxEntries = 64;

/// Runs `function` on the loop's thread and waits for it.
template <typename Function>
auto RunOn(EventLoop& loop, Function function) {
  std::packaged_task<decltype(function())()> task(std::move(function));
  auto result = task.get_future();
  asio::post(loop.env().executor, [&task] { task(); });
  return result.get();
}

Result<unsigned> CountPossibleCpus() {
  std::ifstream file(kPossibleCpus);
  std::string list;
  std::getline(file, list);
  return CountCpus(list);
}

}  // namespace

FuseServer::FuseServer(EventLoops& loops, Vfs& vfs, int device, const Negotiated& negotiated,
                       std::function<void(int error)> on_ended)
    : loops_(loops), vfs_(vfs), device_(device), negotiated_(negotiated), on_ended_(std::move(on_ended)) {}

FuseServer::~FuseServer() {
  CHECK(!open_);
}

Result<std::unique_ptr<FuseServer>> FuseServer::Create(EventLoops& loops, Vfs& vfs, int device,
                                                       const Negotiated& negotiated,
                                                       std::function<void(int error)> on_ended) {
  std::unique_ptr<FuseServer> server(new FuseServer(loops, vfs, device, negotiated, std::move(on_ended)));
  FuseServer* self = server.get();
  for (std::size_t i = 0; i < loops.size(); ++i) {
    Lane lane;
    lane.dispatcher = std::make_unique<Dispatcher>(loops[i].env(), vfs, negotiated.dialect,
                                                   [self](std::uint64_t unique) { self->Interrupt(unique); });
    server->lanes_.push_back(std::move(lane));
  }
  TRY_ASSIGN(UniqueFd notify_device, CloneDevice(device));
  server->notifier_ = std::make_unique<Notifier>(loops[0].env(), std::move(notify_device));
  TRY(negotiated.uring ? server->MakeUringChannels() : server->MakeChannels());
  return server;
}

Result<void> FuseServer::Start() {
  notifier_->Start();
  Result<void> started = StartChannels();
  open_ = started.has_value();
  if (!started) notifier_->Stop();
  return started;
}

Result<void> FuseServer::StartChannels() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    Lane& lane = lanes_[i];
    EventLoop& loop = loops_[i];
    // Rings belong to the thread that makes them.
    Result<void> started = RunOn(loop, [&lane, &loop] {
      Result<void> result = lane.channel->Start();
      if (result) loop.AddPoller(lane.channel.get());
      return result;
    });
    if (!started) {
      while (i-- > 0) RemoveChannel(i);
      return started;
    }
  }
  if (side_reader_ == nullptr) return {};
  Result<void> started = RunOn(loops_[0], [this]() -> Result<void> {
    TRY(side_channel_->Start());
    return side_reader_->Start();
  });
  if (started) return {};
  for (std::size_t i = 0; i < loops_.size(); ++i) RemoveChannel(i);
  return started;
}

void FuseServer::RemoveChannel(std::size_t i) {
  RunOn(loops_[i], [this, i] { loops_[i].RemovePoller(lanes_[i].channel.get()); });
}

Result<void> FuseServer::MakeChannels() {
  for (Lane& lane : lanes_) {
    TRY_ASSIGN(UniqueFd clone, CloneDevice(device_));
    lane.channel = std::make_unique<DeviceChannel>(std::move(clone), negotiated_.max_write, negotiated_.dialect,
                                                   *lane.dispatcher, *this);
  }
  return {};
}

Result<void> FuseServer::MakeUringChannels() {
  TRY_ASSIGN(unsigned queue_count, CountPossibleCpus());
  std::vector<int> loop_cpus;
  for (Env* env : loops_.envs()) loop_cpus.push_back(env->cpu);
  std::vector<std::vector<std::uint16_t>> queues = AssignQueues(queue_count, loop_cpus);
  std::size_t fitting = kMaxRingBytes / negotiated_.max_write / queue_count;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    UringChannel::Options options;
    options.queues = queues[i];
    options.payload_bytes = negotiated_.max_write;
    options.max_entries = std::clamp(static_cast<unsigned>(fitting), kMinEntries, kMaxEntries);
    options.first_entries = std::min(options.first_entries, options.max_entries);
    lanes_[i].channel = std::make_unique<UringChannel>(device_, std::move(options), *lanes_[i].dispatcher, *this);
  }
  TRY_ASSIGN(UniqueFd side_device, CloneDevice(device_));
  side_channel_ = std::make_unique<DeviceChannel>(std::move(side_device), negotiated_.max_write, negotiated_.dialect,
                                                  *lanes_[0].dispatcher, *this);
  side_reader_ = std::make_unique<SideReader>(loops_[0], *side_channel_);
  return {};
}

void FuseServer::Close() {
  if (!std::exchange(open_, false)) return;
  if (side_reader_ != nullptr) loops_.RunAndWait(side_reader_->Stop());
  for (std::size_t i = 0; i < loops_.size(); ++i) RemoveChannel(i);
}

bool FuseServer::Drain(Duration timeout) {
  CHECK(!open_);
  Clock& clock = loops_[0].env().clock;
  TimePoint deadline = clock.Now() + timeout;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto empty = std::make_shared<std::promise<void>>();
    std::future<void> done = empty->get_future();
    RunOn(loops_[i], [this, i, empty] {
      RequestTable& requests = lanes_[i].dispatcher->requests();
      requests.CancelAll();
      requests.WhenEmpty([empty] { empty->set_value(); });
    });
    if (done.wait_for(deadline - clock.Now()) != std::future_status::ready) return false;
  }
  notifier_->Stop();
  loops_.RunAndWait(notifier_->Join());
  return true;
}

void FuseServer::Interrupt(std::uint64_t unique) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    asio::post(loops_[i].env().executor,
               [this, i, unique] { lanes_[i].dispatcher->requests().Interrupt(unique, IsDying); });
  }
}

void FuseServer::OnConnectionEnded(int error) {
  if (ended_.exchange(true)) return;
  if (error != 0) LogError("the FUSE connection broke: {}", strerror(error));
  on_ended_(error);
}

}  // namespace gabion::fuse
