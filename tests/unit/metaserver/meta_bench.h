#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/byte_units.h"
#include "common/env/sim/sim_world.h"
#include "metaserver/background/duties.h"
#include "metaserver/op/dispatch.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"
#include "metaserver/session/session_ops.h"
#include "metaserver/store/scan_all.h"
#include "tests/unit/code_of.h"

namespace gabion {

struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

inline const Caller kRoot{};
inline const Caller kAlice{1001, 1001, {}};
inline const Caller kBob{1002, 1002, {}};

/// The metaserver's parts without the network, on a store in memory from which every call has to load what it needs, as
/// after a start.
class MetaBench {
 public:
  static constexpr std::uint64_t kServerBytes = 100ull << 30;

  struct Options {
    unsigned servers = 3;
    std::uint32_t replicas = 3;
    bool cold = true;
    bool leases_last = false;  // for session_ttl, and over a restart; by default for no time, and nobody waits
  };

  MetaBench() : MetaBench(Options()) {}
  explicit MetaBench(Options options);

  SimWorld& world() { return world_; }
  Env& env() { return machine_.env(); }
  MemoryKv& kv() { return machine_.kv("store"); }
  Cluster& cluster() { return *parts_->cluster; }
  VolumeTable& volumes() { return *parts_->volumes; }
  SessionOps& sessions() { return *parts_->sessions; }
  Duties& duties() { return *parts_->duties; }
  const MetaServerOptions& options() const { return server_options_; }
  std::shared_ptr<Volume> volume() { return volumes().FindByName("home"); }

  template <typename T>
  T Do(Task<T> task) {
    return world_.RunUntilDone(std::move(task));
  }
  /// Everything is on disk only.
  void Cool() {
    if (cold_) kv().contents().Cool();
  }

  /// As kill -9 and a start.
  void Restart();
  /// The plug is pulled.
  void LosePower();

  /// Another incarnation is another process.
  proto::RegisterServerReply RegisterServer(unsigned number, const std::string& host = "",
                                            std::uint64_t incarnation = 1, bool lost_unsynced = false);
  Result<proto::HeartbeatReply> Heartbeat(std::uint32_t server_id, unsigned number,
                                          const std::vector<std::uint64_t>& deleted = {}, std::uint64_t used_bytes = 0);
  /// As Heartbeat, of a server whose id is its number, with what `request` says.
  Result<proto::HeartbeatReply> Report(unsigned number, proto::HeartbeatRequest request);
  proto::ClusterMap Map();
  /// Every duty's pass, until there is nothing left to do.
  void RunDuties();

  /// The chunks that the servers are to delete: as many times as there are replicas.
  std::multiset<std::uint64_t> Garbage();
  /// How many records a table of the volume has.
  std::size_t CountRecords(Table table);
  /// Counts links, entries and inodes by walking the store, and compares them with what records say.
  void ExpectConsistent();

 private:
  struct Parts {
    std::unique_ptr<Cluster> cluster;
    std::unique_ptr<VolumeTable> volumes;
    std::unique_ptr<SessionOps> sessions;
    std::unique_ptr<Duties> duties;
  };
  void Start();

  MetaServerOptions server_options_;
  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("meta");
  bool cold_;
  bool leases_last_;
  std::optional<Parts> parts_;
};

/// A client: a session that numbers its ops. Calls go the way of requests from the wire (op/dispatch.h).
class MetaClient {
 public:
  explicit MetaClient(MetaBench& bench, bool read_only = false, const std::string& subdir = "");

  SessionId id() const { return id_; }
  Ino root() const { return root_; }
  std::uint64_t last_seq() const { return seq_; }
  Ino NextIno() { return Ino(next_ino_++); }
  std::uint64_t NextChunk() { return next_chunk_++; }
  std::uint64_t NextHandle() { return next_handle_++; }
  /// The replies so far are not acknowledged from now on.
  void HoldAcknowledgements() { held_ack_ = seq_ + 1; }

  Result<proto::OpenSessionReply> Resume(const std::vector<std::pair<std::uint64_t, Ino>>& handles,
                                         const std::vector<Ino>& writes = {});

  /// A seq of 0 means the next one.
  template <OpKind kKind, typename Request, typename Reply>
  Result<Reply> Call(OpFunction<Request, Reply> function, Request request, const Caller& who = kRoot,
                     std::uint64_t seq = 0) {
    proto::OpHeader& op = *request.mutable_op();
    op.set_volume_id(volume_id_);
    op.set_session_id(id_.value());
    if (kKind != OpKind::kRead) op.set_seq(seq != 0 ? seq : ++seq_);
    op.set_acked_below(kKind == OpKind::kRead ? 0 : held_ack_ != 0 ? held_ack_ : op.seq());
    op.set_uid(who.uid);
    op.set_gid(who.gid);
    for (std::uint32_t group : who.groups) op.add_groups(group);
    RpcRequest raw;
    raw.header = request.SerializeAsString();
    raw.env = &bench_.env();
    bench_.Cool();
    Result<RpcResponse> response = bench_.Do(RunOp<kKind>(bench_.volumes(), function, std::move(raw)));
    if (!response) return response.error();
    Reply reply;
    CHECK(reply.ParseFromString(response->header));
    return reply;
  }

  // Each op with the usual arguments.

  proto::CreateRequest NewInode(Ino parent, const std::string& name, std::uint32_t mode);
  Result<proto::CreateReply> Create(const proto::CreateRequest& request, const Caller& who = kRoot);
  /// A file, not open, with a first chunk.
  Result<proto::CreateReply> MakeFile(Ino parent, const std::string& name, const Caller& who = kRoot,
                                      std::uint32_t mode = 0644);
  Result<proto::CreateReply> MakeDirectory(Ino parent, const std::string& name, const Caller& who = kRoot,
                                           std::uint32_t mode = 0755);
  /// The number of what root made and gave to `owner`; it has to succeed.
  Ino File(Ino parent, const std::string& name, const Caller& owner = kRoot, std::uint32_t mode = 0644);
  Ino Directory(Ino parent, const std::string& name, const Caller& owner = kRoot, std::uint32_t mode = 0755);

  Result<proto::LookupReply> Lookup(Ino parent, const std::string& name, const Caller& who = kRoot);
  Result<proto::GetAttrReply> GetAttr(Ino ino);
  /// What has to be there.
  proto::Attr AttrOf(Ino ino);
  Result<proto::SetAttrReply> SetAttr(proto::SetAttrRequest request, Ino ino, const Caller& who = kRoot);
  Result<proto::SetAttrReply> Truncate(Ino ino, std::uint64_t size, const Caller& who = kRoot);
  Result<proto::SetAttrReply> Chmod(Ino ino, std::uint32_t mode, const Caller& who = kRoot);
  Result<proto::SetAttrReply> Chown(Ino ino, std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid,
                                    const Caller& who = kRoot);
  Result<proto::LinkReply> Link(Ino ino, Ino parent, const std::string& name, const Caller& who = kRoot);
  Result<proto::UnlinkReply> Unlink(Ino parent, const std::string& name, const Caller& who = kRoot);
  Result<proto::RmdirReply> Rmdir(Ino parent, const std::string& name, const Caller& who = kRoot);
  enum class RenameFlag { kNone, kNoReplace, kExchange };
  Result<proto::RenameReply> Rename(Ino parent, const std::string& name, Ino new_parent, const std::string& new_name,
                                    const Caller& who = kRoot, RenameFlag flag = RenameFlag::kNone);
  Result<proto::OpenReply> Open(Ino ino, std::uint64_t handle, std::uint32_t flags, const Caller& who = kRoot);
  Result<proto::ReleaseReply> Release(const std::vector<std::uint64_t>& handles);
  Result<proto::CommitWriteReply> CommitWrite(Ino ino, std::uint64_t end_bytes, const Caller& who = kRoot);
  Result<proto::AllocateChunksReply> Allocate(Ino ino, std::uint64_t first_index, int count, const Caller& who = kRoot);
  /// The chunk ids, 0 for holes.
  std::vector<std::uint64_t> Chunks(Ino ino, std::uint64_t first_index, std::uint32_t count);
  Result<proto::SetXattrReply> SetXattr(Ino ino, const std::string& name, const std::string& value,
                                        const Caller& who = kRoot);
  Result<proto::GetXattrReply> GetXattr(Ino ino, const std::string& name, const Caller& who = kRoot);
  /// The names in a directory, read in pages of `page`.
  std::vector<std::string> Names(Ino directory, std::uint32_t page = 100);

 private:
  Ino Made(const Result<proto::CreateReply>& made, const Caller& owner, std::uint32_t mode);

  MetaBench& bench_;
  SessionId id_;
  Ino root_;
  std::uint32_t volume_id_ = 0;
  std::uint64_t seq_ = 0;
  std::uint64_t held_ack_ = 0;
  std::uint64_t next_ino_ = 0;
  std::uint64_t next_chunk_ = 0;
  std::uint64_t next_handle_ = 1;
};

}  // namespace gabion
