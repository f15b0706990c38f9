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
/// that are being read, which the loops must be free to answer (DESIGN 6.1).
///
/// A call returns when the kernel has done it, or after kDeadline, with a log line; the notification then stays on its
/// way. What the kernel does not know (never looked up, already forgotten) counts as done. Calls on any loop, from
/// Start to Stop.
class Notifier : public CacheInvalidator {
 public:
  static constexpr Duration kDeadline = std::chrono::seconds(1);
  /// Notifications on their way. Beyond, calls fail at once as if their deadline had passed.
  static constexpr std::size_t kMaxQueued = 65536;

  /// `device`: a descriptor of the connection. `env`: the loop whose clock ends what takes too long. `inc_epoch`: the
  /// kernel has FUSE_NOTIFY_INC_EPOCH.
  Notifier(Env& env, UniqueFd device, bool inc_epoch);
  ~Notifier() override;  // Stop() first

  void Start();
  /// Ends the threads; calls that wait return. The connection must have ended, or a thread may still be in the kernel.
  /// Blocks.
  void Stop();
  /// Lets the task that watches deadlines end. After Stop().
  Task<void> Join();

  Task<void> InvalidateData(Ino ino) override;
  Task<bool> InvalidateAttributes(Ino ino) override;
  /// In one write, which Linux has since 6.16.
  Task<bool> InvalidateAllEntries() override;
  bool CanInvalidateAllEntries() const override { return inc_epoch_; }

 private:
  struct Pending {
    std::string message;
    TimePoint deadline;
    std::function<void()> resume;  // called once, by whoever takes it out under mutex_
    bool done = false;
  };
  using PendingRef = std::shared_ptr<Pending>;

  /// False if it failed or takes too long.
  Task<bool> Notify(std::string message);
  void Work();
  bool Write(const std::string& message);
  void Finish(Pending& pending, bool done);
  Task<void> WatchDeadlines();

  Env& env_;
  UniqueFd device_;
  const bool inc_epoch_;
  TaskGroup tasks_;
  std::mutex mutex_;
  std::condition_variable work_;
  bool stopping_ = false;
  bool watching_ = false;
  std::deque<PendingRef> queue_;      // not begun
  std::deque<PendingRef> deadlines_;  // of all that were queued, in order
  std::vector<std::thread> threads_;
};

}  // namespace gabion::fuse
