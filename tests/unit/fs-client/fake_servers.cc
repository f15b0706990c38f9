#include "tests/unit/fs-client/fake_servers.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/base/checksum.h"

namespace gabion {

FakeServer::FakeServer(SimMachine& machine, std::uint16_t port, proto::Role role)
    : machine_(machine),
      endpoint_{machine.name(), port},
      server_(std::make_unique<RpcServer>(std::vector<Env*>{&machine.env()}, Identity{role, "", 0})) {
  for (int number = 1; number <= proto::Method_MAX; ++number) {
    if (!proto::Method_IsValid(number)) continue;
    auto method = static_cast<proto::Method>(number);
    server_->Handle(method, [this, method](RpcRequest request) { return Serve(this, method, std::move(request)); });
  }
}

void FakeServer::Start() {
  CHECK(server_->Start(endpoint_).has_value());
}

Task<Result<RpcResponse>> FakeServer::Serve(FakeServer* self, proto::Method method, RpcRequest request) {
  ++self->calls_[method];
  if (method != proto::METHOD_RENEW_SESSION) self->order_.push_back(method);
  auto failure = self->failures_.find(method);
  if (failure != self->failures_.end() && failure->second.second > 0) {
    --failure->second.second;
    co_return Error(failure->second.first, "as the test wants");
  }
  auto answer = self->answers_.find(method);
  if (answer == self->answers_.end()) co_return Error(ErrorCode::kUnknownMethod, "the test has no answer");
  Result<RpcResponse> response = answer->second(request);
  unsigned& lost = self->lost_replies_[method];
  if (lost > 0) {
    --lost;
    co_return Error(ErrorCode::kConnectionLost, "the reply is lost");
  }
  co_return response;
}

FakeMetaserver::FakeMetaserver(SimMachine& machine) : FakeServer(machine, kPort, proto::ROLE_METASERVER) {
  attr.set_ino(50);
  attr.set_mode(S_IFREG | 0644);
  attr.set_nlink(1);
  attr.set_data_version(1);
  SetCluster(1);
  AnswerSessions();
  AnswerFile();
}

void FakeMetaserver::SetCluster(unsigned chunkservers) {
  map_.set_version(map_.version() + 1);
  map_.clear_servers();
  map_.clear_pgs();
  proto::PgEntry& pg = *map_.add_pgs();
  pg.set_pg_id(1);
  pg.set_epoch(1);
  pg.set_primary(1);
  for (unsigned id = 1; id <= chunkservers; ++id) {
    proto::ServerEntry& server = *map_.add_servers();
    server.set_server_id(id);
    server.set_endpoint(fmt::format("chunk{}:{}", id, FakeChunkserver::kPort));
    server.set_alive(true);
    pg.add_members(id);
    pg.add_in_sync(id);
  }
}

void FakeMetaserver::AnswerSessions() {
  On<proto::OpenSessionRequest, proto::OpenSessionReply>(
      proto::METHOD_OPEN_SESSION, [this](const auto& request) -> Result<proto::OpenSessionReply> {
        if (request.volume() != "home") return {ErrorCode::kNotFound, "no such volume"};
        if (request.session_id() != 0 && request.session_id() != session_id) {
          return {ErrorCode::kSessionExpired, "this session is no more"};
        }
        if (request.session_id() == 0) session_id = 7 + sessions_opened++;
        proto::OpenSessionReply reply;
        reply.set_session_id(session_id);
        reply.set_evictions(evictions);
        reply.mutable_note()->set_number(++openings_);
        reply.set_volume_id(3);
        reply.set_root_ino(1);
        reply.set_ttl_ms(10'000);
        *reply.mutable_map() = map_;
        for (proto::IdRange* range : {reply.mutable_inos(), reply.mutable_chunk_ids()}) {
          range->set_first(next_id_);
          range->set_count(100);
          next_id_ += 100;
        }
        return reply;
      });
  On<proto::RenewSessionRequest, proto::RenewSessionReply>(
      proto::METHOD_RENEW_SESSION, [this](const auto& request) -> Result<proto::RenewSessionReply> {
        if (request.session_id() != session_id) return {ErrorCode::kSessionExpired, "this session is no more"};
        proto::RenewSessionReply reply;
        if (request.map_version() < map_.version()) *reply.mutable_map() = map_;
        return reply;
      });
  On<proto::CloseSessionRequest, proto::CloseSessionReply>(
      proto::METHOD_CLOSE_SESSION,
      [](const auto&) -> Result<proto::CloseSessionReply> { return proto::CloseSessionReply(); });
  On<proto::GetClusterMapRequest, proto::GetClusterMapReply>(
      proto::METHOD_GET_CLUSTER_MAP, [this](const auto& request) -> Result<proto::GetClusterMapReply> {
        proto::GetClusterMapReply reply;
        if (request.known_version() < map_.version()) *reply.mutable_map() = map_;
        return reply;
      });
  On<proto::DelegateIdsRequest, proto::DelegateIdsReply>(
      proto::METHOD_DELEGATE_IDS, [this](const auto& request) -> Result<proto::DelegateIdsReply> {
        proto::DelegateIdsReply reply;
        reply.mutable_inos()->set_first(next_id_);
        reply.mutable_inos()->set_count(request.inos());
        next_id_ += request.inos();
        reply.mutable_chunk_ids()->set_first(next_id_);
        reply.mutable_chunk_ids()->set_count(request.chunk_ids());
        next_id_ += request.chunk_ids();
        return reply;
      });
}

void FakeMetaserver::AnswerFile() {
  On<proto::GetAttrRequest, proto::GetAttrReply>(proto::METHOD_GET_ATTR,
                                                 [this](const auto&) -> Result<proto::GetAttrReply> {
                                                   proto::GetAttrReply reply;
                                                   *reply.mutable_attr() = attr;
                                                   return reply;
                                                 });
  On<proto::CommitWriteRequest, proto::CommitWriteReply>(
      proto::METHOD_COMMIT_WRITE, [this](const auto& request) -> Result<proto::CommitWriteReply> {
        if (request.end_bytes() > attr.size() && attr.has_trim()) return {ErrorCode::kBusy, "a cut is pending"};
        commit_ends.push_back(request.end_bytes());
        attr.set_data_version(attr.data_version() + 1);
        if (!request.keep_size()) attr.set_size(std::max(attr.size(), request.end_bytes()));
        attr.set_mtime_ns(request.mtime_ns());
        proto::CommitWriteReply reply;
        *reply.mutable_attr() = attr;
        return reply;
      });
  On<proto::AllocateChunksRequest, proto::AllocateChunksReply>(
      proto::METHOD_ALLOCATE_CHUNKS, [this](const auto& request) -> Result<proto::AllocateChunksReply> {
        proto::AllocateChunksReply reply;
        std::uint64_t index = request.first_index();
        for (std::uint64_t id : request.chunk_ids()) {
          proto::ChunkRef& chunk = chunks[index++];
          if (chunk.chunk_id() == 0) chunk.set_chunk_id(id);
          chunk.set_pg_id(1);
          *reply.add_chunks() = chunk;
        }
        if (chunks.contains(0)) *attr.mutable_first_chunk() = chunks[0];
        return reply;
      });
  On<proto::GetChunksRequest, proto::GetChunksReply>(
      proto::METHOD_GET_CHUNKS, [this](const auto& request) -> Result<proto::GetChunksReply> {
        proto::GetChunksReply reply;
        for (std::uint64_t i = 0; i < request.count(); ++i) {
          auto found = chunks.find(request.first_index() + i);
          *reply.add_chunks() = found == chunks.end() ? proto::ChunkRef() : found->second;
        }
        return reply;
      });
  On<proto::FinishTrimRequest, proto::FinishTrimReply>(proto::METHOD_FINISH_TRIM,
                                                       [this](const auto& request) -> Result<proto::FinishTrimReply> {
                                                         if (attr.trim().generation() == request.generation())
                                                           attr.clear_trim();
                                                         return proto::FinishTrimReply();
                                                       });
  On<proto::SyncMetaRequest, proto::SyncMetaReply>(
      proto::METHOD_SYNC_META, [](const auto&) -> Result<proto::SyncMetaReply> { return proto::SyncMetaReply(); });
}

FakeChunkserver::FakeChunkserver(SimMachine& machine) : FakeServer(machine, kPort, proto::ROLE_CHUNKSERVER) {
  OnRaw(proto::METHOD_WRITE_CHUNK, [this](const RpcRequest& raw) { return Write(raw); });
  OnRaw(proto::METHOD_READ_CHUNK, [this](const RpcRequest& raw) { return Read(raw); });
  On<proto::SyncChunksRequest, proto::SyncChunksReply>(
      proto::METHOD_SYNC_CHUNKS,
      [](const auto&) -> Result<proto::SyncChunksReply> { return proto::SyncChunksReply(); });
  On<proto::TrimChunkRequest, proto::TrimChunkReply>(
      proto::METHOD_TRIM_CHUNK, [this](const auto& request) -> Result<proto::TrimChunkReply> {
        std::string& content = chunks[request.target().chunk_id()];
        content.resize(std::min<std::size_t>(content.size(), request.length_bytes()));
        return proto::TrimChunkReply();
      });
}

Result<void> FakeChunkserver::CheckTarget(const proto::ChunkTarget& target) const {
  if (target.epoch() != epoch) return {ErrorCode::kStaleEpoch, "another epoch"};
  return {};
}

Result<RpcResponse> FakeChunkserver::Write(const RpcRequest& raw) {
  proto::WriteChunkRequest request;
  CHECK(request.ParseFromString(raw.header));
  TRY(CheckTarget(request.target()));
  std::string bytes = raw.payload.ToString();
  std::vector<BlockChecksum> sums = PieceChecksums(request.offset_bytes(), std::as_bytes(std::span(bytes)));
  if (!std::equal(sums.begin(), sums.end(), request.checksums().begin(), request.checksums().end())) {
    return {ErrorCode::kCorrupt, "the checksums do not match"};
  }
  write_sizes.push_back(static_cast<std::uint32_t>(bytes.size()));
  write_syncs.push_back(request.sync());
  last_sender = {request.target().session_id(), request.target().session_evictions()};
  std::string& content = chunks[request.target().chunk_id()];
  content.resize(std::max(content.size(), request.offset_bytes() + bytes.size()));
  content.replace(request.offset_bytes(), bytes.size(), bytes);
  return RpcResponse();
}

Result<RpcResponse> FakeChunkserver::Read(const RpcRequest& raw) {
  proto::ReadChunkRequest request;
  CHECK(request.ParseFromString(raw.header));
  TRY(CheckTarget(request.target()));
  const std::string& content = chunks[request.target().chunk_id()];
  std::string bytes;
  if (request.offset_bytes() < content.size()) bytes = content.substr(request.offset_bytes(), request.length_bytes());
  bytes.resize(std::min<std::size_t>(RoundUp(bytes.size(), kBlockBytes), request.length_bytes()));
  proto::ReadChunkReply reply;
  for (BlockChecksum sum : PieceChecksums(request.offset_bytes(), std::as_bytes(std::span(bytes)))) {
    reply.add_checksums(sum);
  }
  if (!bytes.empty() && spoilt.contains(request.target().chunk_id())) bytes[0] = static_cast<char>(bytes[0] ^ 1);
  RpcResponse response;
  response.header = reply.SerializeAsString();
  if (!bytes.empty()) response.payload.Append(Slice::CopyOf(bytes));
  return response;
}

}  // namespace gabion
