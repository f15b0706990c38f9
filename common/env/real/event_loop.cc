#include "common/env/real/event_loop.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/env/real/asio_clock.h"
#include "common/env/real/host.h"
#include "common/env/real/os_random.h"
#include "common/env/real/spin_control.h"
#include "common/env/real/tcp_transport.h"

namespace gabion {
namespace {

// Handlers that run before the pollers are asked again: neither side can keep the other waiting for long.
constexpr int kHandlersPerTurn = 64;

void PinThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set) != 0) {
    LogWarning("cannot pin an event loop to CPU {}; it runs where the kernel likes", cpu);
  }
}

}  // namespace

class EventLoop::Impl {
 public:
  explicit Impl(Options options)
      : options_(options),
        context_(std::make_unique<asio::io_context>(1)),
        io_(*context_),
        work_(asio::make_work_guard(io_)),
        transport_(io_.get_executor()),
        env_{io_.get_executor(), clock_, transport_, random_, options.index, options.cpu},
        spin_(options.spin) {}

  ~Impl() {
    CHECK(!thread_.joinable());
    seats_.clear();
    work_.reset();
    context_.reset();  // and with it coroutines that still refer to env_
  }

  Env& env() { return env_; }
  asio::io_context& io() { return io_; }

  void AddPoller(LoopPoller* poller) {
    CheckThread();
    seats_.push_back(std::make_unique<Seat>(io_, poller));
    io_.stop();  // leaves Asio's own loop, which knows no pollers
  }

  void RemovePoller(LoopPoller* poller) {
    CheckThread();
    auto found =
        std::find_if(seats_.begin(), seats_.end(), [poller](const auto& seat) { return seat->poller == poller; });
    CHECK(found != seats_.end());
    if (polling_) {
      (*found)->poller = nullptr;  // the list is in use: it is cleaned up after the round
    } else {
      seats_.erase(found);
    }
  }

  void Start() {
    CHECK(!thread_.joinable());
    thread_ = std::thread([this] { Run(); });
    std::string name = "loop-" + std::to_string(options_.index);
    ::pthread_setname_np(thread_.native_handle(), name.c_str());
  }

  void Stop() {
    if (!thread_.joinable()) return;
    CHECK(std::this_thread::get_id() != thread_.get_id());
    stopping_ = true;
    io_.stop();
    thread_.join();
    thread_id_ = std::thread::id();
  }

 private:
  struct Seat {
    Seat(asio::io_context& io, LoopPoller* its_poller) : poller(its_poller), wake(io, ::dup(its_poller->wake_fd())) {}
    LoopPoller* poller;                   // null: removed
    asio::posix::stream_descriptor wake;  // a duplicate, for Asio closes what it is given
    std::shared_ptr<bool> armed = std::make_shared<bool>(false);
  };

  void CheckThread() const {
    const std::thread::id runs = thread_id_;
    CHECK(runs == std::thread::id() || runs == std::this_thread::get_id());
  }

  void Run() {
    thread_id_ = std::this_thread::get_id();
    if (options_.cpu >= 0) PinThread(options_.cpu);
    while (!stopping_) {
      if (seats_.empty() && options_.spin <= Duration(0)) {
        io_.run();  // until stopped: the cheapest loop where there is nothing else to look at
      } else {
        Turn();
      }
      if (!stopping_) io_.restart();
    }
  }

  void Turn() {
    bool found = Poll();
    if (!found && (options_.spin <= Duration(0) || !spin_.Spinning(clock_.Now()))) {
      Sleep();
      return;
    }
    for (int i = 0; i < kHandlersPerTurn && io_.poll_one() > 0; ++i) found = true;
    if (found) {
      spin_.FoundWork(clock_.Now());
    } else {
      ::sched_yield();  // spinning must not keep others off the CPU
    }
  }

  /// Runs one handler, waiting for it if need be.
  void Sleep() {
    if (Arm() && Poll()) return;  // what came before its descriptor was armed gave no edge
    TimePoint before = clock_.Now();
    io_.run_one();
    spin_.Slept(before, clock_.Now());
  }

  /// Has every poller's descriptor watched; whether any was not.
  bool Arm() {
    bool any = false;
    for (const auto& seat : seats_) {
      if (*seat->armed) continue;
      *seat->armed = true;
      any = true;
      seat->wake.async_wait(asio::posix::stream_descriptor::wait_read,
                            [armed = seat->armed](const asio::error_code&) { *armed = false; });
    }
    return any;
  }

  bool Poll() {
    bool found = false;
    polling_ = true;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i]->poller != nullptr) found |= seats_[i]->poller->Poll();
    }
    polling_ = false;
    std::erase_if(seats_, [](const auto& seat) { return seat->poller == nullptr; });
    return found;
  }

  const Options options_;
  std::unique_ptr<asio::io_context> context_;
  asio::io_context& io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  AsioClock clock_;
  OsRandom random_;
  TcpTransport transport_;
  Env env_;
  SpinControl spin_;
  std::vector<std::unique_ptr<Seat>> seats_;
  bool polling_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;  // none while it does not run; thread_ is for whoever starts and stops it
};

EventLoop::EventLoop(Options options) : impl_(std::make_unique<Impl>(options)) {}
EventLoop::~EventLoop() = default;
Env& EventLoop::env() {
  return impl_->env();
}
asio::io_context& EventLoop::io() {
  return impl_->io();
}
void EventLoop::AddPoller(LoopPoller* poller) {
  impl_->AddPoller(poller);
}
void EventLoop::RemovePoller(LoopPoller* poller) {
  impl_->RemovePoller(poller);
}
void EventLoop::Start() {
  impl_->Start();
}
void EventLoop::Stop() {
  impl_->Stop();
}

EventLoops::EventLoops(unsigned count, bool pin, Duration spin) {
  std::vector<int> cpus = UsableCpus();
  if (count == 0) count = static_cast<unsigned>(cpus.size());
  for (unsigned i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(EventLoop::Options{i, pin ? cpus[i % cpus.size()] : -1, spin}));
  }
}

EventLoops::~EventLoops() {
  Stop();
}

std::vector<Env*> EventLoops::envs() {
  std::vector<Env*> envs;
  for (const auto& loop : loops_) envs.push_back(&loop->env());
  return envs;
}

void EventLoops::Start() {
  for (const auto& loop : loops_) loop->Start();
}

void EventLoops::Stop() {
  for (const auto& loop : loops_) loop->Stop();
}

void EventLoops::RunAndWait(Task<void> task) {
  std::promise<void> ended;
  asio::co_spawn(loops_.front()->env().executor, std::move(task), [&ended](std::exception_ptr exception) {
    if (exception) std::rethrow_exception(exception);
    ended.set_value();
  });
  ended.get_future().wait();
}

}  // namespace gabion
