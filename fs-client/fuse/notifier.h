#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/coro/task_group.h"
#include "common/env/env.h"
#include "common/env/real/unique_fd.h"
#include "fs-client/vfs/vfs.h"

namespace gabion::fuse {

/// Writes notifications to the kernel, from threads that serve no request: dropping an inode's pages waits for those
/// that are being read, which the loops must be free to answer (DESIGN 6.1). Those that wait for nobody have a thread
/// of their own, and never wait behind the others.
///
/// A call returns when the kernel has done it, or after kDeadline, with a log line; the notification then stays on its
/// way. What the kernel does not know (never looked up, already forgotten) counts as done. Calls on any loop, from
/// Start to Stop.
class Notifier : public CacheInvalidator {
 public:
  static constexpr Duration kDeadline = std::chrono::seconds(1);
  /// Notifications on their way. Beyond, calls fail at once as if their deadline had passed.
  static constexpr std::size_t kMaxQueued = 65536;

  /// `device`: a descriptor of the connection. `env`: the loop whose clock ends what takes too long.
  Notifier(Env& env, UniqueFd device);
  ~Notifier() override;  // Stop() first

  void Start();
  /// Ends the threads; calls that wait return. The connection must have ended, or a thread may still be in the kernel.
  /// Blocks.
  void Stop();
  /// Lets the task that watches deadlines end. After Stop().
  Task<void> Join();

  Task<bool> InvalidateData(Ino ino) override;
  Task<bool> InvalidateAttributes(std::vector<Ino> inodes) override;

 private:
  struct Pending {
    std::vector<std::string> messages;
    TimePoint deadline;
    std::function<void()> resume;  // called once, by whoever takes it out under mutex_
    bool done = false;
  };
  using PendingRef = std::shared_ptr<Pending>;
  /// Notifications that wait for each other.
  struct Lane {
    std::condition_variable work;
    std::deque<PendingRef> queue;  // not begun
  };

  /// False if it failed or takes too long.
  Task<bool> Notify(Lane& lane, std::vector<std::string> messages);
  void Work(Lane& lane);
  bool Write(const std::string& message);
  void Finish(Pending& pending, bool done);
  Task<void> WatchDeadlines();

  Env& env_;
  UniqueFd device_;
  TaskGroup tasks_;
  std::mutex mutex_;
  Lane pages_;
  Lane attributes_;
  bool stopping_ = false;
  bool watching_ = false;
  std::deque<PendingRef> deadlines_;  // of all that were queued, in order
  std::vector<std::thread> threads_;
};

}  // namespace gabion::fuse
