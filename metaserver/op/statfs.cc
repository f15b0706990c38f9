#include <algorithm>

#include "metaserver/op/ops.h"

namespace gabion::op {

namespace {

// Inodes are bounded by the metadata store's disk alone; programs want a number.
constexpr std::uint64_t kFreeInodes = std::uint64_t{1} << 40;

}  // namespace

Result<proto::StatFsReply> StatFs(Txn&, const proto::StatFsRequest&, OpContext& context) {
  const Placement::Space& servers = context.placement.servers();
  const std::uint64_t replicas = std::max<std::uint64_t>(1, context.state.record.replicas());
  proto::StatFsReply reply;
  reply.set_total_bytes(servers.capacity_bytes / replicas);
  reply.set_free_bytes(servers.FreeBytes(context.state.record.replicas()));
  reply.set_total_inodes(context.state.stats.inodes() + kFreeInodes);
  reply.set_free_inodes(kFreeInodes);
  return reply;
}

}  // namespace gabion::op
