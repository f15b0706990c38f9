#include "fs-client/vfs/handle_naming.h"

#include <limits>
#include <utility>
#include <vector>

namespace gabion {

Task<Result<void>> HandleNaming::Name(ClientLoop* loop, std::optional<Ino> ino) {
  return NameAdded(loop, ino, TimePoint{std::numeric_limits<std::int64_t>::max()});
}

Task<void> HandleNaming::NameOldUntilStopped(ClientLoop* loop) {
  while (!session_.stopping()) {
    co_await age_sleep_.Until(loop->env(), loop->Now() + kAge);
    (void)co_await NameAdded(loop, std::nullopt, loop->Now() - kAge);  // what fails is tried again
  }
}

Task<Result<void>> HandleNaming::NameAdded(ClientLoop* loop, std::optional<Ino> ino, TimePoint added_before) {
  OwnOpens& own = files_.own();
  if (!own.Has(ino)) co_return Result<void>();
  AsyncMutex::Guard guard = co_await naming_.Lock();
  for (;;) {
    const std::vector<proto::OpenHandle> handles = own.BeginNaming(ino, added_before);
    if (handles.empty()) co_return Result<void>();
    proto::NameHandlesRequest request;
    request.mutable_handles()->Add(handles.begin(), handles.end());
    auto reply =
        co_await meta_.Read<proto::NameHandlesReply>(loop, kOwnWork, proto::METHOD_NAME_HANDLES, std::move(request));
    for (HandleId closed : own.EndNaming(handles, reply.has_value())) releases_.Add(loop, closed);
    if (!reply) co_return reply.error();
    std::vector<HandleId> gone;
    for (std::uint64_t handle : reply->lost_handles()) gone.emplace_back(handle);
    if (!gone.empty()) files_.MarkGone(gone);
  }
}

}  // namespace gabion
