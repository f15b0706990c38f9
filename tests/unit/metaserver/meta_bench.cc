#include "tests/unit/metaserver/meta_bench.h"

#include <map>

namespace gabion {

MetaBench::MetaBench(Options options) : cold_(options.cold), leases_last_(options.leases_last) {
  kv().contents().options().cold = options.cold;
  Start();
  for (unsigned number = 1; number <= options.servers; ++number) RegisterServer(number);
  CHECK(Do(volumes().Create("home", options.replicas, env())).has_value());
}

void MetaBench::Start() {
  MemoryKv& store = kv();
  parts_.emplace();
  parts_->cluster = std::make_unique<Cluster>(
      store, Cluster::Options{server_options_.server_lease, server_options_.down_out, server_options_.pgs_per_policy,
                              std::to_string(machine_.boot())});
  const Duration session_ttl = leases_last_ ? server_options_.session_ttl : Duration(0);
  parts_->volumes = std::make_unique<VolumeTable>(store, *parts_->cluster, session_ttl);
  parts_->sessions = std::make_unique<SessionOps>(*parts_->volumes, *parts_->cluster, server_options_);
  parts_->duties = std::make_unique<Duties>(env(), store, *parts_->volumes, *parts_->cluster, server_options_);
  CHECK(Do(cluster().Load(env())).has_value());
  CHECK(Do(volumes().Load(env())).has_value());
  if (leases_last_) return;
  for (const auto& volume : volumes().List()) {
    volume->WithState([](VolumeState& state) { state.grace_over = true; });
  }
}

void MetaBench::Restart() {
  machine_.KillProcess();
  Start();
}

void MetaBench::LosePower() {
  machine_.LosePower();
  Start();
}

proto::RegisterServerReply MetaBench::RegisterServer(unsigned number, const std::string& host,
                                                     std::uint64_t incarnation, bool lost_unsynced) {
  proto::RegisterServerRequest request;
  request.set_server_uuid("uuid-" + std::to_string(number));
  request.set_endpoint("chunk" + std::to_string(number) + ":9480");
  request.set_host(host.empty() ? "host" + std::to_string(number) : host);
  request.set_incarnation(incarnation);
  request.set_lost_unsynced(lost_unsynced);
  proto::DiskReport* disk = request.add_disks();
  disk->set_online(true);
  disk->set_capacity_bytes(kServerBytes);
  Result<proto::RegisterServerReply> reply = Do(cluster().Register(request, env()));
  CHECK(reply.has_value());
  return *reply;
}

Result<proto::HeartbeatReply> MetaBench::Heartbeat(std::uint32_t server_id, unsigned number,
                                                   const std::vector<std::uint64_t>& deleted,
                                                   std::uint64_t used_bytes) {
  proto::HeartbeatRequest request;
  request.set_server_id(server_id);
  request.set_server_uuid("uuid-" + std::to_string(number));
  proto::DiskReport* disk = request.add_disks();
  disk->set_online(true);
  disk->set_capacity_bytes(kServerBytes);
  disk->set_used_bytes(used_bytes);
  for (std::uint64_t chunk : deleted) request.add_deleted_chunks(chunk);
  return Do(cluster().Heartbeat(request, env()));
}

Result<proto::HeartbeatReply> MetaBench::Report(unsigned number, proto::HeartbeatRequest request) {
  request.set_server_id(number);
  request.set_server_uuid("uuid-" + std::to_string(number));
  proto::DiskReport* disk = request.add_disks();
  disk->set_online(true);
  disk->set_capacity_bytes(kServerBytes);
  return Do(cluster().Heartbeat(std::move(request), env()));
}

proto::ClusterMap MetaBench::Map() {
  Result<proto::ClusterMap> map = Do(cluster().Map());
  CHECK(map.has_value());
  return *map;
}

void MetaBench::RunDuties() {
  std::uint64_t before = 0;
  do {
    before = kv().contents().applied_seq().value();
    ASSERT_TRUE(Do(duties().ExpireSessions()).has_value());
    ASSERT_TRUE(Do(duties().ReclaimOrphans()).has_value());
    ASSERT_TRUE(Do(duties().ReclaimChunks()).has_value());
    ASSERT_TRUE(Do(duties().ReclaimVolumes()).has_value());
  } while (kv().contents().applied_seq().value() != before);
}

std::multiset<std::uint64_t> MetaBench::Garbage() {
  std::multiset<std::uint64_t> chunks;
  RecordVisitor visit = [&](std::string_view key, std::string_view) -> Result<void> {
    TRY_ASSIGN(const GarbageKeyParts parts, DecodeGarbageKey(key));
    chunks.insert(parts.chunk.value());
    return {};
  };
  CHECK(Do(ScanAll(kv(), TablePrefix(Table::kGarbage), visit)).has_value());
  return chunks;
}

std::size_t MetaBench::CountRecords(Table table) {
  std::size_t count = 0;
  RecordVisitor visit = [&](std::string_view, std::string_view) -> Result<void> {
    ++count;
    return {};
  };
  CHECK(Do(ScanAll(kv(), TablePrefix(table), visit)).has_value());
  return count;
}

void MetaBench::ExpectConsistent() {
  struct Found {
    std::uint32_t names = 0;
    std::uint32_t subdirectories = 0;
    std::uint64_t entries = 0;
    std::uint64_t chunks = 0;
    std::uint32_t xattrs = 0;
    std::uint64_t xattr_bytes = 0;
  };
  std::map<Ino, records::Inode> inodes;
  std::map<Ino, Found> found;
  std::map<Ino, Ino> parents;
  RecordVisitor take_inode = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kInode, key));
    TRY_ASSIGN(inodes[parts.ino], DecodeRecord<records::Inode>(key, value));
    return {};
  };
  RecordVisitor take_dentry = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kDentry, key));
    TRY_ASSIGN(const records::Dentry dentry, DecodeRecord<records::Dentry>(key, value));
    ++found[Ino(dentry.ino())].names;
    ++found[parts.ino].entries;
    if (S_ISDIR(dentry.type_mode())) {
      ++found[parts.ino].subdirectories;
      parents[Ino(dentry.ino())] = parts.ino;
    }
    return {};
  };
  RecordVisitor take_chunk = [&](std::string_view key, std::string_view) -> Result<void> {
    TRY_ASSIGN(const ChunkKeyParts parts, DecodeChunkKey(key));
    ++found[parts.ino].chunks;
    return {};
  };
  RecordVisitor take_xattr = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(const NamedKeyParts parts, DecodeNamedKey(Table::kXattr, key));
    TRY_ASSIGN(const records::Xattr xattr, DecodeRecord<records::Xattr>(key, value));
    ++found[parts.ino].xattrs;
    found[parts.ino].xattr_bytes += parts.name.size() + xattr.value().size();
    return {};
  };
  ASSERT_TRUE(Do(ScanAll(kv(), TablePrefix(Table::kInode), take_inode)).has_value());
  ASSERT_TRUE(Do(ScanAll(kv(), TablePrefix(Table::kDentry), take_dentry)).has_value());
  ASSERT_TRUE(Do(ScanAll(kv(), TablePrefix(Table::kChunk), take_chunk)).has_value());
  ASSERT_TRUE(Do(ScanAll(kv(), TablePrefix(Table::kXattr), take_xattr)).has_value());

  std::uint64_t used_bytes = 0;
  for (const auto& [ino, inode] : inodes) {
    const Found& seen = found[ino];
    used_bytes += inode.used_bytes();
    EXPECT_EQ(inode.entries(), seen.entries) << "inode " << ino.value();
    EXPECT_EQ(inode.mapped_chunks(), seen.chunks) << "inode " << ino.value();
    EXPECT_EQ(inode.xattrs(), seen.xattrs) << "inode " << ino.value();
    EXPECT_EQ(inode.xattr_bytes(), seen.xattr_bytes) << "inode " << ino.value();
    if (!IsDirectory(inode)) {
      EXPECT_EQ(inode.nlink(), seen.names) << "inode " << ino.value();
    } else if (ino == kRootIno || seen.names == 1) {
      EXPECT_EQ(inode.nlink(), 2 + seen.subdirectories) << "directory " << ino.value();
      if (ino != kRootIno) {
        EXPECT_EQ(Ino(inode.parent()), parents[ino]) << "directory " << ino.value();
      }
    } else {
      EXPECT_EQ(inode.nlink(), 0u) << "directory " << ino.value();
    }
  }
  // Of a large file that was removed the records go in the background.
  std::set<Ino> reclaims;
  RecordVisitor take_reclaim = [&](std::string_view key, std::string_view) -> Result<void> {
    TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kReclaim, key));
    reclaims.insert(parts.ino);
    return {};
  };
  ASSERT_TRUE(Do(ScanAll(kv(), TablePrefix(Table::kReclaim), take_reclaim)).has_value());
  for (const auto& [ino, seen] : found) {
    EXPECT_TRUE(inodes.contains(ino) || reclaims.contains(ino)) << "records of lost inode " << ino.value();
  }
  volume()->WithState([&](VolumeState& state) {
    EXPECT_EQ(state.stats.inodes(), inodes.size());
    EXPECT_EQ(state.stats.used_bytes(), used_bytes);
  });
}

MetaClient::MetaClient(MetaBench& bench, bool read_only, const std::string& subdir) : bench_(bench) {
  proto::OpenSessionRequest request;
  request.set_volume("home");
  request.set_host("client");
  request.set_mountpoint("/mnt");
  request.set_read_only(read_only);
  request.set_subdir(subdir);
  bench_.Cool();
  Result<proto::OpenSessionReply> reply = bench_.Do(bench_.sessions().Open(request, bench_.env()));
  CHECK(reply.has_value());
  id_ = SessionId(reply->session_id());
  root_ = Ino(reply->root_ino());
  volume_id_ = reply->volume_id();
  next_ino_ = reply->inos().first();
  next_chunk_ = reply->chunk_ids().first();
}

Result<proto::OpenSessionReply> MetaClient::Resume(const std::vector<std::pair<std::uint64_t, Ino>>& handles,
                                                   const std::vector<Ino>& writes) {
  proto::OpenSessionRequest request;
  request.set_session_id(id_.value());
  request.set_volume("home");
  for (const auto& [handle, ino] : handles) {
    proto::OpenHandle* open = request.add_reclaim();
    open->set_handle_id(handle);
    open->set_ino(ino.value());
  }
  for (Ino ino : writes) request.add_reclaim_writes()->set_ino(ino.value());
  bench_.Cool();
  return bench_.Do(bench_.sessions().Open(request, bench_.env()));
}

proto::CreateRequest MetaClient::NewInode(Ino parent, const std::string& name, std::uint32_t mode) {
  proto::CreateRequest request;
  request.set_parent(parent.value());
  request.set_name(name);
  request.set_mode(mode);
  request.set_ino(NextIno().value());
  if (S_ISREG(mode)) request.set_first_chunk_id(NextChunk());
  if (S_ISLNK(mode)) request.set_symlink_target("target");
  return request;
}

Result<proto::CreateReply> MetaClient::Create(const proto::CreateRequest& request, const Caller& who) {
  return Call<OpKind::kMutation>(&op::Create, request, who);
}

Result<proto::CreateReply> MetaClient::MakeFile(Ino parent, const std::string& name, const Caller& who,
                                                std::uint32_t mode) {
  return Create(NewInode(parent, name, S_IFREG | mode), who);
}

Result<proto::CreateReply> MetaClient::MakeDirectory(Ino parent, const std::string& name, const Caller& who,
                                                     std::uint32_t mode) {
  return Create(NewInode(parent, name, S_IFDIR | mode), who);
}

Ino MetaClient::Made(const Result<proto::CreateReply>& made, const Caller& owner, std::uint32_t mode) {
  EXPECT_TRUE(made.has_value()) << made.error().ToString();
  const Ino ino(made->attr().ino());
  if (owner.uid == 0) return ino;
  proto::SetAttrRequest request;
  request.set_uid(owner.uid);
  request.set_gid(owner.gid);
  request.set_mode(mode);
  EXPECT_TRUE(SetAttr(std::move(request), ino).has_value());
  return ino;
}

Ino MetaClient::File(Ino parent, const std::string& name, const Caller& owner, std::uint32_t mode) {
  return Made(MakeFile(parent, name, kRoot, mode), owner, mode);
}

Ino MetaClient::Directory(Ino parent, const std::string& name, const Caller& owner, std::uint32_t mode) {
  return Made(MakeDirectory(parent, name, kRoot, mode), owner, mode);
}

Result<proto::LookupReply> MetaClient::Lookup(Ino parent, const std::string& name, const Caller& who) {
  proto::LookupRequest request;
  request.set_parent(parent.value());
  request.set_name(name);
  Result<proto::LookupReply> reply = Call<OpKind::kRead>(&op::Lookup, request, who);
  // Under a lease on the directory, an absent name is an answer.
  if (reply && !reply->has_attr()) return Error(ErrorCode::kNotFound, "no such name");
  return reply;
}

Result<proto::GetAttrReply> MetaClient::GetAttr(Ino ino) {
  proto::GetAttrRequest request;
  request.set_ino(ino.value());
  return Call<OpKind::kRead>(&op::GetAttr, request);
}

proto::Attr MetaClient::AttrOf(Ino ino) {
  Result<proto::GetAttrReply> reply = GetAttr(ino);
  EXPECT_TRUE(reply.has_value()) << reply.error().ToString();
  return reply->attr();
}

Result<proto::SetAttrReply> MetaClient::SetAttr(proto::SetAttrRequest request, Ino ino, const Caller& who) {
  request.set_ino(ino.value());
  return Call<OpKind::kMutation>(&op::SetAttr, std::move(request), who);
}

Result<proto::SetAttrReply> MetaClient::Truncate(Ino ino, std::uint64_t size, const Caller& who) {
  proto::SetAttrRequest request;
  request.set_size(size);
  return SetAttr(std::move(request), ino, who);
}

Result<proto::SetAttrReply> MetaClient::Chmod(Ino ino, std::uint32_t mode, const Caller& who) {
  proto::SetAttrRequest request;
  request.set_mode(mode);
  return SetAttr(std::move(request), ino, who);
}

Result<proto::SetAttrReply> MetaClient::Chown(Ino ino, std::optional<std::uint32_t> uid,
                                              std::optional<std::uint32_t> gid, const Caller& who) {
  proto::SetAttrRequest request;
  if (uid) request.set_uid(*uid);
  if (gid) request.set_gid(*gid);
  return SetAttr(std::move(request), ino, who);
}

Result<proto::LinkReply> MetaClient::Link(Ino ino, Ino parent, const std::string& name, const Caller& who) {
  proto::LinkRequest request;
  request.set_ino(ino.value());
  request.set_new_parent(parent.value());
  request.set_new_name(name);
  return Call<OpKind::kMutation>(&op::Link, request, who);
}

Result<proto::UnlinkReply> MetaClient::Unlink(Ino parent, const std::string& name, const Caller& who) {
  proto::UnlinkRequest request;
  request.set_parent(parent.value());
  request.set_name(name);
  return Call<OpKind::kMutation>(&op::Unlink, request, who);
}

Result<proto::RmdirReply> MetaClient::Rmdir(Ino parent, const std::string& name, const Caller& who) {
  proto::RmdirRequest request;
  request.set_parent(parent.value());
  request.set_name(name);
  return Call<OpKind::kMutation>(&op::Rmdir, request, who);
}

Result<proto::RenameReply> MetaClient::Rename(Ino parent, const std::string& name, Ino new_parent,
                                              const std::string& new_name, const Caller& who, RenameFlag flag) {
  proto::RenameRequest request;
  request.set_parent(parent.value());
  request.set_name(name);
  request.set_new_parent(new_parent.value());
  request.set_new_name(new_name);
  request.set_no_replace(flag == RenameFlag::kNoReplace);
  request.set_exchange(flag == RenameFlag::kExchange);
  return Call<OpKind::kMutation>(&op::Rename, request, who);
}

Result<proto::OpenReply> MetaClient::Open(Ino ino, std::uint64_t handle, std::uint32_t flags, const Caller& who) {
  proto::OpenRequest request;
  request.set_ino(ino.value());
  request.set_handle_id(handle);
  request.set_flags(flags);
  return Call<OpKind::kHandle>(&op::Open, request, who);
}

Result<proto::ReleaseReply> MetaClient::Release(const std::vector<std::uint64_t>& handles) {
  proto::ReleaseRequest request;
  for (std::uint64_t handle : handles) request.add_handle_ids(handle);
  return Call<OpKind::kHandle>(&op::Release, request);
}

Result<proto::CommitWriteReply> MetaClient::CommitWrite(Ino ino, std::uint64_t end_bytes, const Caller& who) {
  proto::CommitWriteRequest request;
  request.set_ino(ino.value());
  request.set_end_bytes(end_bytes);
  request.set_added_bytes(end_bytes);
  return Call<OpKind::kMutation>(&op::CommitWrite, request, who);
}

Result<proto::AllocateChunksReply> MetaClient::Allocate(Ino ino, std::uint64_t first_index, int count,
                                                        const Caller& who) {
  proto::AllocateChunksRequest request;
  request.set_ino(ino.value());
  request.set_first_index(first_index);
  for (int i = 0; i < count; ++i) request.add_chunk_ids(NextChunk());
  return Call<OpKind::kRepeatable>(&op::AllocateChunks, request, who);
}

std::vector<std::uint64_t> MetaClient::Chunks(Ino ino, std::uint64_t first_index, std::uint32_t count) {
  proto::GetChunksRequest request;
  request.set_ino(ino.value());
  request.set_first_index(first_index);
  request.set_count(count);
  Result<proto::GetChunksReply> reply = Call<OpKind::kRead>(&op::GetChunks, request);
  EXPECT_TRUE(reply.has_value()) << reply.error().ToString();
  std::vector<std::uint64_t> ids;
  for (const proto::ChunkRef& chunk : reply->chunks()) ids.push_back(chunk.chunk_id());
  return ids;
}

Result<proto::SetXattrReply> MetaClient::SetXattr(Ino ino, const std::string& name, const std::string& value,
                                                  const Caller& who) {
  proto::SetXattrRequest request;
  request.set_ino(ino.value());
  request.set_name(name);
  request.set_value(value);
  return Call<OpKind::kMutation>(&op::SetXattr, request, who);
}

Result<proto::GetXattrReply> MetaClient::GetXattr(Ino ino, const std::string& name, const Caller& who) {
  proto::GetXattrRequest request;
  request.set_ino(ino.value());
  request.set_name(name);
  return Call<OpKind::kRead>(&op::GetXattr, request, who);
}

std::vector<std::string> MetaClient::Names(Ino directory, std::uint32_t page) {
  std::vector<std::string> names;
  proto::ReadDirRequest request;
  request.set_ino(directory.value());
  request.set_max_entries(page);
  while (true) {
    Result<proto::ReadDirReply> reply = Call<OpKind::kRead>(&op::ReadDir, request);
    EXPECT_TRUE(reply.has_value()) << reply.error().ToString();
    EXPECT_LE(reply->entries_size(), static_cast<int>(page));
    for (const proto::DirEntry& entry : reply->entries()) names.push_back(entry.name());
    if (reply->end() || reply->entries().empty()) return names;
    request.set_after_name(names.back());
  }
}

}  // namespace gabion
