#include "common/coro/task_group.h"

#include <asio/co_spawn.hpp>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/coro/async_event.h"

namespace gabion {

struct TaskGroup::State {
  mutable std::mutex mutex;
  std::size_t running = 0;
  bool closed = false;
  AsyncEvent drained;  // set while closed and nothing runs

  void Ended() {
    std::lock_guard lock(mutex);
    if (--running == 0 && closed) drained.Set();
  }
};

TaskGroup::TaskGroup() : state_(std::make_shared<State>()) {}

TaskGroup::~TaskGroup() {
  CHECK(size() == 0);
}

void TaskGroup::Spawn(Executor executor, Task<void> task) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->closed) return;
    ++state_->running;
  }
  // The handler holds the state, not the group: the last task to end may let Join's caller destroy the group.
  asio::co_spawn(std::move(executor), std::move(task), [state = state_](std::exception_ptr exception) {
    if (exception) std::rethrow_exception(exception);
    state->Ended();
  });
}

void TaskGroup::Close() {
  std::lock_guard lock(state_->mutex);
  state_->closed = true;
  if (state_->running == 0) state_->drained.Set();
}

bool TaskGroup::closed() const {
  std::lock_guard lock(state_->mutex);
  return state_->closed;
}

Task<void> TaskGroup::Join() {
  Close();
  std::shared_ptr<State> state = state_;
  co_await state->drained.Wait();
}

std::size_t TaskGroup::size() const {
  std::lock_guard lock(state_->mutex);
  return state_->running;
}

}  // namespace gabion
