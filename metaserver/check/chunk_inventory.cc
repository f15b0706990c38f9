#include "metaserver/check/chunk_inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gabion {

namespace {

constexpr std::uint32_t kMaxPageEntries = 4096;      // what a chunkserver gives in one answer
constexpr std::uint32_t kMaxPagedEntries = 1 << 20;  // of all servers together
constexpr std::size_t kMaxAskedAtOnce = 4096;

void NoteSilence(ServerId server, const Error& error, CheckLog& log) {
  log.AddUnchecked(fmt::format("chunkserver {} does not say what it has: {}", server.value(), error.message()));
}

}  // namespace

Task<Result<ServerEndpoints>> ChunkInventory::FindServers(Cluster& cluster, CheckLog& log) {
  Result<proto::ClusterMap> newest = co_await cluster.Map();
  CO_TRY_ASSIGN(const proto::ClusterMap map, std::move(newest));
  ServerEndpoints servers;
  for (const proto::ServerEntry& entry : map.servers()) {
    if (!entry.alive()) {
      log.AddUnchecked(fmt::format("chunkserver {} is down", entry.server_id()));
      continue;
    }
    Result<Endpoint> endpoint = Endpoint::Parse(entry.endpoint(), 0);
    if (endpoint) {
      servers.emplace(ServerId(entry.server_id()), std::move(*endpoint));
    } else {
      NoteSilence(ServerId(entry.server_id()), endpoint.error(), log);
    }
  }
  co_return servers;
}

ChunkInventory::ChunkInventory(ServerEndpoints servers, ChunkLister& lister, CheckLog& log)
    : lister_(lister), log_(log) {
  const auto count = static_cast<std::uint32_t>(std::max<std::size_t>(servers.size(), 1));
  page_entries_ = std::clamp<std::uint32_t>(kMaxPagedEntries / count, 1, kMaxPageEntries);
  for (auto& [id, endpoint] : servers) servers_[id].endpoint = std::move(endpoint);
}

Task<void> ChunkInventory::ReadPage(ServerId id, Server& server) {
  proto::ListStoredChunksRequest request;
  request.set_after_chunk(server.after.value());
  request.set_max_entries(page_entries_);
  Result<proto::ListStoredChunksReply> reply = co_await lister_.List(id, server.endpoint, std::move(request));
  server.page.clear();
  server.next = 0;
  server.end = true;
  if (!reply) {
    NoteSilence(id, reply.error(), log_);
    co_return;
  }
  server.page.assign(reply->chunks().begin(), reply->chunks().end());
  const auto not_ascending = [&](const proto::StoredChunk& chunk) {
    const bool wrong = ChunkId(chunk.chunk_id()) <= server.after;
    server.after = ChunkId(chunk.chunk_id());
    return wrong;
  };
  if (std::any_of(server.page.begin(), server.page.end(), not_ascending)) {
    server.page.clear();
    NoteSilence(id, Error(ErrorCode::kProtocol, "its list is not in order"), log_);
    co_return;
  }
  server.end = reply->end() || server.page.empty();
}

Task<void> ChunkInventory::PushHead(ServerId id) {
  Server& server = servers_.at(id);
  if (server.next == server.page.size() && !server.end) co_await ReadPage(id, server);
  if (server.next < server.page.size()) heads_.emplace(ChunkId(server.page[server.next].chunk_id()), id);
}

Task<Result<void>> ChunkInventory::Fill(ChunkWindow& window, std::size_t max_chunks, const ChunkGroups& groups) {
  if (!std::exchange(started_, true)) {
    for (const auto& [id, server] : servers_) co_await PushHead(id);
  }
  while (!heads_.empty()) {
    const auto [chunk, id] = heads_.top();
    if (chunk != last_ && window.size() == max_chunks) {
      window.CloseAt(last_);
      break;
    }
    heads_.pop();
    Server& server = servers_.at(id);
    const PgId pg(server.page[server.next].pg_id());
    window.AddCopy(chunk, pg, groups.MemberOf(pg, id));
    if (chunk != last_) log_.CountChunks(1);
    last_ = chunk;
    ++server.next;
    if (server.next == server.page.size()) CO_TRY(log_.CheckGoing());
    co_await PushHead(id);
  }
  co_return Result<void>();
}

Task<StoredNow> AskForChunks(ServerEndpoints servers, std::map<ServerId, std::vector<ChunkId>> wanted,
                             ChunkLister& lister, CheckLog& log) {
  StoredNow now;
  for (const auto& [id, chunks] : wanted) {
    auto server = servers.find(id);
    if (server == servers.end()) {
      now.silent.insert(id);
      continue;
    }
    for (std::size_t first = 0; first < chunks.size(); first += kMaxAskedAtOnce) {
      proto::ListStoredChunksRequest request;
      for (std::size_t i = first; i < std::min(first + kMaxAskedAtOnce, chunks.size()); ++i)
        request.add_chunk_ids(chunks[i].value());
      Result<proto::ListStoredChunksReply> reply = co_await lister.List(id, server->second, std::move(request));
      if (!reply) {
        NoteSilence(id, reply.error(), log);
        now.silent.insert(id);
        break;
      }
      for (const proto::StoredChunk& chunk : reply->chunks()) now.stored.emplace(id, ChunkId(chunk.chunk_id()));
    }
  }
  co_return now;
}

}  // namespace gabion
