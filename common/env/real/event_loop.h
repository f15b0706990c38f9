#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "common/env/env.h"

namespace gabion {

/// A source of work that a loop asks in every turn, beside Asio's reactor: the rings of FUSE over io_uring. Called on
/// the loop's thread only.
class LoopPoller {
 public:
  virtual ~LoopPoller() = default;
  /// Submits what is to be submitted and handles what has arrived; whether there was anything. Never blocks.
  virtual bool Poll() = 0;
  /// Readable when Poll() would find something; the loop sleeps on it together with sockets and timers.
  virtual int wake_fd() const = 0;
};

/// One thread with one io_context, pinned to a CPU if asked: requests, their RPCs and their replies stay on it (DESIGN
/// 11).
///
/// A turn: pollers, then handlers and ready sockets, and so on until neither found anything; then, if there was traffic
/// within `spin`, the same again without sleeping; then sleep in the reactor until a socket, timer, post or wake_fd.
class EventLoop {
 public:
  struct Options {
    unsigned index = 0;
    int cpu = -1;      // -1: not pinned
    Duration spin{0};  // how long to look for work before sleeping; 0: never
  };

  explicit EventLoop(Options options);
  ~EventLoop();  // Stop() first
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Env& env();
  asio::io_context& io();

  /// Before Start or on the loop's thread. The poller outlives its registration.
  void AddPoller(LoopPoller* poller);
  void RemovePoller(LoopPoller* poller);

  void Start();
  /// Ends the turn under way and joins the thread; handlers that did not run are dropped. Not on the loop's thread.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The loops of a process.
class EventLoops {
 public:
  /// `count` 0: one a CPU this process may use. With `pin`, loop i is pinned to the i-th of them.
  EventLoops(unsigned count, bool pin, Duration spin);
  ~EventLoops();

  std::size_t size() const { return loops_.size(); }
  EventLoop& operator[](std::size_t index) { return *loops_[index]; }
  std::vector<Env*> envs();
  void Start();
  void Stop();
  /// Runs `task` on loop 0 and waits for it, from a thread that is no loop: start-up and shutdown of programs.
  void RunAndWait(Task<void> task);

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
};

}  // namespace gabion
