#include "fs-client/fuse/notifier.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/coro/resumer.h"
#include "fs-client/fuse/encode.h"

namespace gabion::fuse {
namespace {

/// One that waits for a page under read must not hold up the others for ever.
constexpr unsigned kPageThreads = 4;

}  // namespace

Notifier::Notifier(Env& env, UniqueFd device) : env_(env), device_(std::move(device)) {}

Notifier::~Notifier() {
  CHECK(threads_.empty());
}

void Notifier::Start() {
  for (unsigned i = 0; i < kPageThreads; ++i) threads_.emplace_back([this] { Work(pages_); });
  threads_.emplace_back([this] { Work(attributes_); });
}

void Notifier::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  pages_.work.notify_all();
  attributes_.work.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (Lane* lane : {&pages_, &attributes_}) {
    std::deque<PendingRef> left;
    {
      std::lock_guard lock(mutex_);
      left.swap(lane->queue);
    }
    for (const PendingRef& pending : left) Finish(*pending, false);
  }
}

Task<void> Notifier::Join() {
  co_await tasks_.Join();
}

Task<bool> Notifier::InvalidateData(Ino ino) {
  std::vector<std::string> messages;
  messages.push_back(EncodeInvalidateInode(ino));
  return Notify(pages_, std::move(messages));
}

Task<bool> Notifier::InvalidateAttributes(std::vector<Ino> inodes) {
  std::vector<std::string> messages;
  for (Ino ino : inodes) messages.push_back(EncodeInvalidateAttributes(ino));
  return Notify(attributes_, std::move(messages));
}

Task<bool> Notifier::Notify(Lane& lane, std::vector<std::string> messages) {
  auto pending = std::make_shared<Pending>();
  pending->messages = std::move(messages);
  pending->deadline = env_.clock.Now() + kDeadline;
  auto start = [this, &lane, &pending](std::function<void()> resume) {
    bool queued = false;
    bool watch = false;
    {
      std::lock_guard lock(mutex_);
      queued = !stopping_ && lane.queue.size() < kMaxQueued;
      if (queued) {
        pending->resume = resume;
        lane.queue.push_back(pending);
        deadlines_.push_back(pending);
        watch = !std::exchange(watching_, true);
      }
    }
    if (!queued) {
      LogWarning("too many cache invalidations at once: the kernel may keep an outdated one");
      return resume();
    }
    lane.work.notify_one();
    if (watch) tasks_.Spawn(env_.executor, WatchDeadlines());
  };
  co_await SuspendUntilResumed(start);
  std::lock_guard lock(mutex_);
  co_return pending->done;
}

void Notifier::Work(Lane& lane) {
  for (;;) {
    PendingRef pending;
    {
      std::unique_lock lock(mutex_);
      lane.work.wait(lock, [&] { return stopping_ || !lane.queue.empty(); });
      if (stopping_) return;
      pending = std::move(lane.queue.front());
      lane.queue.pop_front();
    }
    bool done = true;
    for (const std::string& message : pending->messages) done = Write(message) && done;
    Finish(*pending, done);
  }
}

bool Notifier::Write(const std::string& message) {
  if (write(device_.get(), message.data(), message.size()) >= 0) return true;
  // ENOENT: the kernel does not know the inode or entry. ENOTDIR, ENOTEMPTY: an entry that is in use in another way.
  if (errno == ENOENT || errno == ENODEV || errno == ENOTCONN || errno == ENOTDIR || errno == ENOTEMPTY) return true;
  LogWarning("the kernel refuses a cache invalidation: {}", strerror(errno));
  return false;
}

void Notifier::Finish(Pending& pending, bool done) {
  std::function<void()> resume;
  {
    std::lock_guard lock(mutex_);
    pending.done = done;
    resume = std::exchange(pending.resume, nullptr);
  }
  if (resume) resume();
}

/// Runs while anything waits.
Task<void> Notifier::WatchDeadlines() {
  for (;;) {
    PendingRef first;
    {
      std::lock_guard lock(mutex_);
      while (!deadlines_.empty() && !deadlines_.front()->resume) deadlines_.pop_front();
      if (deadlines_.empty()) {
        watching_ = false;
        co_return;
      }
      first = deadlines_.front();
    }
    co_await env_.clock.SleepUntil(first->deadline);
    std::function<void()> resume;
    {
      std::lock_guard lock(mutex_);
      resume = std::exchange(first->resume, nullptr);
    }
    if (!resume) continue;
    LogWarning("a cache invalidation takes the kernel longer than a second; going on without it");
    resume();
  }
}

}  // namespace gabion::fuse
