#include "fs-client/fuse/request_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string>
#include <string_view>

#include "common/base/check.h"

namespace gabion::fuse {

RequestTable::~RequestTable() {
  CHECK(size_ == 0);
}

RequestTable::Place RequestTable::Begin(std::uint64_t unique, std::uint32_t pid) {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Running>());
    free_.push_back(all_.back().get());
  }
  Running& running = *free_.back();
  free_.pop_back();
  running.unique = unique;
  running.pid = pid;
  running.previous = nullptr;
  running.next = first_;
  if (first_ != nullptr) first_->previous = &running;
  first_ = &running;
  ++size_;
  return {*this, running};
}

void RequestTable::End(Running& running) {
  (running.previous != nullptr ? running.previous->next : first_) = running.next;
  if (running.next != nullptr) running.next->previous = running.previous;
  free_.push_back(&running);
  if (--size_ == 0 && when_empty_) std::exchange(when_empty_, nullptr)();
}

void RequestTable::Interrupt(std::uint64_t unique, const std::function<bool(std::uint32_t pid)>& is_dying) {
  for (Running* running = first_; running != nullptr; running = running->next) {
    if (running->unique != unique) continue;
    running->signal.emit(is_dying(running->pid) ? asio::cancellation_type::terminal : asio::cancellation_type::total);
    return;
  }
  if (early_interrupts_.size() == kMaxEarlyInterrupts) early_interrupts_.pop_front();
  early_interrupts_.push_back(unique);
}

void RequestTable::CancelAll() {
  // The list stays as it is meanwhile: what is cancelled goes on through its executor's queue.
  for (Running* running = first_; running != nullptr; running = running->next) {
    running->signal.emit(asio::cancellation_type::terminal);
  }
}

bool RequestTable::TakeEarlyInterrupt(std::uint64_t unique) {
  if (early_interrupts_.empty()) return false;
  auto found = std::find(early_interrupts_.begin(), early_interrupts_.end(), unique);
  if (found == early_interrupts_.end()) return false;
  early_interrupts_.erase(found);
  return true;
}

void RequestTable::WhenEmpty(std::function<void()> function) {
  if (size_ == 0) return function();
  when_empty_ = std::move(function);
}

bool HasKillPending(std::string_view status) {
  for (std::string_view field : {"SigPnd:\t", "ShdPnd:\t"}) {
    std::size_t at = status.find(field);
    if (at == std::string_view::npos) continue;
    std::string_view digits = status.substr(at + field.size(), 16);
    std::uint64_t mask = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
    if (mask & (1ull << (SIGKILL - 1))) return true;
  }
  return false;
}

bool IsDying(std::uint32_t pid) {
  if (pid == 0) return false;
  std::string path = "/proc/" + std::to_string(pid) + "/status";
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[4096];
  ssize_t size = read(fd, text, sizeof text);
  close(fd);
  return size > 0 && HasKillPending({text, static_cast<std::size_t>(size)});
}

}  // namespace gabion::fuse
