#include "tests/unit/metaserver/check/check_bench.h"

#include <algorithm>

namespace gabion {

Task<Result<proto::ListStoredChunksReply>> FakeChunkservers::List(ServerId server, Endpoint,
                                                                  proto::ListStoredChunksRequest request) {
  co_await env->clock.SleepFor(std::chrono::microseconds(200));
  if (silent.contains(server)) co_return Error(ErrorCode::kUnavailable, "it does not answer");
  proto::ListStoredChunksReply reply;
  const std::map<ChunkId, PgId>& chunks = stored[server];
  const auto add = [&](const std::pair<const ChunkId, PgId>& chunk) {
    proto::StoredChunk* entry = reply.add_chunks();
    entry->set_chunk_id(chunk.first.value());
    entry->set_pg_id(chunk.second.value());
  };
  for (std::uint64_t id : request.chunk_ids()) {
    if (auto found = chunks.find(ChunkId(id)); found != chunks.end()) add(*found);
  }
  if (!request.chunk_ids().empty()) co_return reply;
  const std::uint32_t count = std::min(request.max_entries(), max_page_entries);
  auto chunk = chunks.upper_bound(ChunkId(request.after_chunk()));
  for (; chunk != chunks.end() && reply.chunks_size() < static_cast<int>(count); ++chunk) add(*chunk);
  reply.set_end(chunk == chunks.end());
  co_return reply;
}

CheckBench::CheckBench(CheckLimits limits) : limits_(limits), volume_(meta_.volume()->id()) {
  chunkservers_.env = &meta_.env();
  checks_.emplace(CheckContext{meta_.env(), meta_.kv(), meta_.volumes(), meta_.cluster(), chunkservers_, limits_});
}

CheckBench::~CheckBench() {
  meta_.world().RunUntilDone(checks_->Stop());
}

void CheckBench::Restart() {
  meta_.world().RunUntilDone(checks_->Stop());
  checks_.reset();
  meta_.Restart();
  chunkservers_.env = &meta_.env();
  checks_.emplace(CheckContext{meta_.env(), meta_.kv(), meta_.volumes(), meta_.cluster(), chunkservers_, limits_});
}

void CheckBench::Start(const std::string& volume) {
  proto::CheckStartRequest request;
  request.set_volume(volume);
  const Result<proto::CheckStartReply> started = checks_->Start(request);
  CHECK(started.has_value());
}

proto::CheckStatusReply CheckBench::Status() {
  proto::CheckStatusRequest request;
  request.set_max_faults(Checks::kMaxFaultsPerReply);
  Result<proto::CheckStatusReply> status = checks_->Status(request);
  CHECK(status.has_value());
  return *status;
}

bool CheckBench::IsBusy() {
  const proto::CheckState state = Status().state();
  return state == proto::CHECK_STATE_RUNNING || state == proto::CHECK_STATE_REPAIRING;
}

proto::CheckStatusReply CheckBench::Await() {
  for (int i = 0; i < 100'000 && IsBusy(); ++i) meta_.world().RunFor(std::chrono::milliseconds(1));
  proto::CheckStatusReply status = Status();
  EXPECT_EQ(status.state(), proto::CHECK_STATE_FINISHED) << status.error();
  return status;
}

proto::CheckStatusReply CheckBench::Check(const std::string& volume) {
  Start(volume);
  return Await();
}

proto::CheckStatusReply CheckBench::Repair() {
  proto::CheckRepairRequest request;
  request.set_check_id(Status().check_id());
  const Result<proto::CheckRepairReply> begun = checks_->Repair(request);
  CHECK(begun.has_value());
  return Await();
}

template <typename Record>
void CheckBench::Edit(const std::string& key, const std::function<void(Record&)>& edit) {
  const auto entries = meta_.kv().contents().Entries();
  const auto found = entries.find(key);
  Record record;
  if (found != entries.end()) CHECK(DecodeRecordInto(key, found->second, record).has_value());
  edit(record);
  WriteBatch batch;
  batch.Put(key, EncodeRecord(record));
  CHECK(meta_.kv().Apply(batch).has_value());
}

void CheckBench::EditInode(Ino ino, const std::function<void(records::Inode&)>& edit) {
  Edit<records::Inode>(InodeKey(volume_, ino), edit);
}

void CheckBench::EditStats(const std::function<void(records::VolumeStats&)>& edit) {
  Edit<records::VolumeStats>(VolumeStatsKey(volume_), edit);
}

void CheckBench::PutName(Ino parent, const std::string& name, Ino ino, std::uint32_t type_mode) {
  Edit<records::Dentry>(DentryKey(volume_, parent, name), [&](records::Dentry& dentry) {
    dentry.set_ino(ino.value());
    dentry.set_type_mode(type_mode);
  });
}

void CheckBench::Delete(const std::string& key) {
  WriteBatch batch;
  batch.Delete(key);
  CHECK(meta_.kv().Apply(batch).has_value());
}

void CheckBench::WriteChunk(MetaClient& client, Ino ino, std::uint64_t index) {
  Result<proto::AllocateChunksReply> placed = client.Allocate(ino, index, 1);
  if (!placed) return;
  const proto::ChunkRef& place = placed->chunks(0);
  for (ServerId server : meta_.cluster().placement()->MembersOf(PgId(place.pg_id())))
    chunkservers_.stored[server][ChunkId(place.chunk_id())] = PgId(place.pg_id());
  proto::CommitWriteRequest request;
  request.set_ino(ino.value());
  request.set_end_bytes(index * kChunkBytes + 4096);
  request.set_added_bytes(4096);
  request.add_written()->set_index(index);
  request.mutable_written(0)->set_chunk_id(place.chunk_id());
  (void)client.Call<OpKind::kMutation>(&op::CommitWrite, request);
}

std::vector<std::string> Kinds(const proto::CheckStatusReply& status) {
  std::vector<std::string> kinds;
  for (const proto::CheckFault& fault : status.faults()) {
    std::string kind = proto::CheckFaultKind_Name(fault.kind()).substr(std::string("CHECK_FAULT_").size());
    const std::uint64_t where = fault.ino() != 0 ? fault.ino() : fault.chunk_id();
    kinds.push_back(kind + " " + std::to_string(where));
  }
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

}  // namespace gabion
