#include "fs-client/fuse/launch.h"

#include <asio/use_awaitable.hpp>

namespace gabion::fuse {

void Launch(const Executor& executor, asio::cancellation_slot slot, RequestTask task) {
  asio::cancellation_state state(slot);
  asio::detail::awaitable_handler<Executor, void> thread(std::move(task), executor, slot, state);
  thread.launch();
}

}  // namespace gabion::fuse
