#include "common/env/real/blocking_pool.h"

#include <pthread.h>

#include <utility>

#include "common/base/check.h"
#include "common/coro/resumer.h"

namespace gabion {

BlockingPool::BlockingPool(unsigned threads) {
  CHECK(threads > 0);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(); });
    ::pthread_setname_np(threads_.back().native_handle(), "blocking");
  }
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BlockingPool::Submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

Task<void> BlockingPool::Run(std::function<void()> job) {
  auto start = [this, &job](std::function<void()> resume) {
    Submit([&job, resume = std::move(resume)] {
      job();
      resume();
    });
  };
  co_await SuspendUntilResumed(start);
}

void BlockingPool::Work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace gabion
