#pragma once

#include <asio/cancellation_signal.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace gabion::fuse {

/// The requests that one loop is working on, so that an INTERRUPT finds its request. On the loop's thread only.
///
/// Costs no allocation once warm: places are kept and used again.
class RequestTable {
 public:
  /// How many interrupts are kept whose request has not been seen yet: with rings the two travel apart.
  static constexpr std::size_t kMaxEarlyInterrupts = 64;

  struct Running {
    std::uint64_t unique = 0;
    std::uint32_t pid = 0;
    asio::cancellation_signal signal;
    Running* previous = nullptr;
    Running* next = nullptr;
  };

  /// A request's place in the table; it leaves with it.
  class Place {
   public:
    Place() = default;
    Place(RequestTable& table, Running& running) : table_(&table), running_(&running) {}
    Place(Place&& other) noexcept : table_(std::exchange(other.table_, nullptr)), running_(other.running_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (table_ != nullptr) table_->End(*running_);
    }
    asio::cancellation_slot slot() { return running_->signal.slot(); }

   private:
    RequestTable* table_ = nullptr;
    Running* running_ = nullptr;
  };

  RequestTable() = default;
  ~RequestTable();
  RequestTable(const RequestTable&) = delete;
  RequestTable& operator=(const RequestTable&) = delete;

  Place Begin(std::uint64_t unique, std::uint32_t pid);

  /// Cancels the request, whose caller waits no longer: `terminal` if `is_dying(pid)`, else `total`, which only
  /// operations that asked for it hear. A request that is not here is remembered as an early interrupt.
  void Interrupt(std::uint64_t unique, const std::function<bool(std::uint32_t pid)>& is_dying);
  /// Cancels every request, `terminal`, for nobody waits any longer.
  void CancelAll();
  /// Whether an interrupt came before its request; forgets it.
  bool TakeEarlyInterrupt(std::uint64_t unique);

  std::size_t size() const { return size_; }
  /// Calls `function` once, as soon as no request is left: at once, or when the last one ends.
  void WhenEmpty(std::function<void()> function);

 private:
  void End(Running& running);

  std::size_t size_ = 0;
  Running* first_ = nullptr;
  std::vector<std::unique_ptr<Running>> all_;
  std::vector<Running*> free_;
  std::deque<std::uint64_t> early_interrupts_;
  std::function<void()> when_empty_;
};

/// Whether the thread `pid` has SIGKILL pending, which is how the kernel ends a process whatever the fatal signal was.
/// For other signals POSIX lets an operation on a file go on, and programs rely on it.
bool IsDying(std::uint32_t pid);

/// The same of the text of /proc/PID/status. Pure.
bool HasKillPending(std::string_view status);

}  // namespace gabion::fuse
