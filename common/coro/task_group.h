#pragma once

#include <cstddef>
#include <memory>

#include "common/coro/task.h"

namespace gabion {

/// Owns background coroutines: whoever spawns into a group cannot be destroyed before they have ended. An exception
/// that leaves a spawned coroutine is a broken invariant and aborts. Any thread may spawn; the group outlives what runs
/// in it. After Seastar's gate.
class TaskGroup {
 public:
  TaskGroup();
  ~TaskGroup();  // CHECKs that everything ended: await Join() first
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task` on `executor`, not before the caller returns or suspends. After Close() the task is dropped.
  void Spawn(Executor executor, Task<void> task);

  /// No new tasks from now on. Idempotent.
  void Close();
  bool closed() const;

  /// Closes, then waits for all tasks. The tasks must have been told to end.
  Task<void> Join();

  std::size_t size() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gabion
