#pragma once

#include <asio/co_spawn.hpp>
#include <future>
#include <optional>
#include <utility>

#include "common/env/real/event_loop.h"

namespace gabion {

/// Real event loops for a test, started; the test's coroutine runs on the first.
class Loops {
 public:
  explicit Loops(unsigned count = 1, Duration spin = Duration(0)) : loops_(count, false, spin) { loops_.Start(); }
  ~Loops() { loops_.Stop(); }

  EventLoops& all() { return loops_; }
  Env& env(std::size_t index = 0) { return loops_[index].env(); }

  template <typename T>
  T Run(Task<T> task, std::size_t index = 0) {
    std::promise<T> promise;
    asio::co_spawn(env(index).executor, Deliver(std::move(task), promise), [](std::exception_ptr exception) {
      if (exception) std::rethrow_exception(exception);
    });
    return promise.get_future().get();
  }
  void Run(Task<void> task) { loops_.RunAndWait(std::move(task)); }

 private:
  template <typename T>
  static Task<void> Deliver(Task<T> task, std::promise<T>& promise) {
    T value = co_await std::move(task);
    promise.set_value(std::move(value));
  }

  EventLoops loops_;
};

}  // namespace gabion
