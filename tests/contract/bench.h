#pragma once

#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/coro/task.h"

namespace gabion {

/// Runs coroutines of a contract test to their end on the test's own thread, in real time.
class RealBench {
 public:
  template <typename T>
  T Run(Task<T> task) {
    std::optional<T> result;
    std::vector<Task<void>> tasks;
    tasks.push_back(Store(std::move(task), &result));
    RunAll(std::move(tasks));
    return std::move(*result);
  }

  void Run(Task<void> task) {
    std::vector<Task<void>> tasks;
    tasks.push_back(std::move(task));
    RunAll(std::move(tasks));
  }

  /// All at once.
  void RunAll(std::vector<Task<void>> tasks) {
    std::size_t running = tasks.size();
    for (Task<void>& task : tasks) {
      asio::co_spawn(io_, std::move(task), [&running](std::exception_ptr exception) {
        if (exception) std::rethrow_exception(exception);
        --running;
      });
    }
    // Calls that went to other threads leave nothing in the queue.
    const auto work = asio::make_work_guard(io_);
    io_.restart();
    while (running > 0) io_.run_one();
  }

  asio::io_context& io() { return io_; }

 private:
  template <typename T>
  static Task<void> Store(Task<T> task, std::optional<T>* result) {
    T value = co_await std::move(task);
    result->emplace(std::move(value));
  }

  asio::io_context io_{1};
};

/// A directory that goes with its object.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gabion-test-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace gabion
