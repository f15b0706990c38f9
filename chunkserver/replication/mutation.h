#pragma once

#include <google/protobuf/message_lite.h>

#include <vector>

#include "chunkserver/replication/forward.h"

namespace gabion {

/// A change of a chunk, as it came.
struct Mutation {
  struct Range {
    ChunkId chunk;
    PageRange pages;
  };

  proto::Method method = proto::METHOD_NONE;
  google::protobuf::MessageLite* request = nullptr;  // passed on to the members
  proto::ChunkTarget* target = nullptr;              // inside `request`
  Payload payload;
  std::vector<Range> ranges;  // what it changes or reads; ascending, not overlapping
};

/// Does a mutation on all in-sync members, or, where the primary passed it on, on this one (DESIGN 5.3). `apply` does
/// it here.
///
/// Mutations whose pages overlap are done one after the other, in one order on all members: the primary's, which keeps
/// the pages locked until every member has answered. If one fails or does not answer, some members may have the change
/// and some not: the PG does not serve until it has been settled (docs/replication.md), and what was given up is not
/// done later (replication/fences.h).
///
/// Errors: as Membership::CheckMutation; as SessionFences::Check; as CheckServesWriters; kUnavailable also with too few
/// members in sync; kNoSpace also if a member was full a moment ago; kDeadlineExceeded: nothing was done; those of
/// `apply`; those of ForwardRound::Join.
Task<Result<void>> Replicate(DataContext& context, const RpcRequest& call, Mutation mutation, Task<Result<void>> apply);

/// Whether this server, the primary of `group`, may serve. Errors: kUnavailable: not yet, or not now.
Result<void> CheckServes(DataContext& context, const MembershipView::Group& group);
/// The same for those who write or sync: they are not to wait for what an administrator must do. Errors: also kNoSpace:
/// it cannot settle for want of space.
Result<void> CheckServesWriters(DataContext& context, const MembershipView::Group& group);

/// Whether [offset, offset + length) is a range of a chunk with at least one byte.
Result<void> CheckChunkRange(std::uint64_t offset_bytes, std::uint64_t length_bytes);

/// The server that calls; none for others.
ServerId CallingServer(const RpcRequest& call);

}  // namespace gabion
