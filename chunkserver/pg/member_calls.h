#pragma once

#include <string>
#include <vector>

#include "chunkserver/replication/data_context.h"
#include "common/base/checksum.h"
#include "proto/data.pb.h"

namespace gabion {

/// What a primary asks of one member of a placement group in one epoch (docs/replication.md). Used on the loop of
/// `env`.
///
/// Errors of all: as Peers::Call, and what the member answers. One that leaves open whether the member will still do it
/// raises the fence: it will not.
class MemberCalls {
 public:
  /// `context` and `env` outlive it.
  MemberCalls(DataContext& context, Env& env, PgId pg, Epoch epoch, ServerId member)
      : context_(context), env_(env), pg_(pg), epoch_(epoch), member_(member) {}

  ServerId member() const { return member_; }

  /// What it makes equal from now on cannot wait for space (docs/replication.md, "What is kept back").
  void MaySpendReserve() { may_spend_reserve_ = true; }

  /// `request` without its target.
  Task<Result<proto::ListChunksReply>> List(proto::ListChunksRequest request);
  /// `of_bytes`: the member reads its blocks for it.
  Task<Result<proto::DigestChunkReply>> Digest(ChunkId chunk, std::uint32_t first_page, std::uint32_t page_count,
                                               bool of_bytes = false);
  /// One block as the member's clients get it, verified.
  Task<Result<Slice>> ReadBlock(ChunkId chunk, std::uint32_t offset_bytes);
  /// `request` without its target.
  Task<Result<void>> Adopt(proto::AdoptChunksRequest request);
  Task<Result<void>> Settled();
  Task<Result<void>> ClearUnsettled(std::vector<ChunkId> chunks);
  Task<Result<void>> Sync();
  /// Parts of making a copy equal. Whole blocks.
  Task<Result<void>> Write(ChunkId chunk, std::uint32_t offset_bytes, Payload payload,
                           std::vector<BlockChecksum> checksums);
  Task<Result<void>> Zero(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes);

 private:
  void Aim(proto::PgTarget& target) const;
  void Aim(ChunkId chunk, proto::ChunkTarget& target) const;
  template <typename Reply>
  Task<Result<Reply>> Call(proto::Method method, std::string header, Payload payload, Duration limit);
  template <typename Reply>
  Task<Result<void>> CallForNothing(proto::Method method, std::string header, Payload payload, Duration limit);

  DataContext& context_;
  Env& env_;
  const PgId pg_;
  const Epoch epoch_;
  const ServerId member_;
  bool may_spend_reserve_ = false;
};

}  // namespace gabion
