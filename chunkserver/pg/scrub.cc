#include "chunkserver/pg/scrub.h"

#include <fmt/format.h>

#include "chunkserver/pg/equalize.h"
#include "chunkserver/pg/member_ops.h"
#include "chunkserver/pg/read_digest.h"
#include "common/base/log.h"

namespace gabion {
namespace {

class Scrubbing {
 public:
  Scrubbing(DataContext& context, Env& env, Membership::Serving serving, ChunkId chunk)
      : context_(context), env_(env), serving_(std::move(serving)), group_(*serving_.group), chunk_(chunk) {}

  Task<ScrubOutcome> Run() {
    // First what the others are compared with.
    for (std::uint32_t page = 0; page < kPagesPerChunk; page += kPagesPerDigestMax) {
      Result<bool> more = co_await OwnRange(page);
      if (!more) Note(more.error());
      if (!more || !*more) break;
    }
    for (ServerId server : group_.in_sync) {
      if (server != serving_.self) co_await Member(server);
    }
    co_return outcome_;
  }

 private:
  /// Whether there is more after this range.
  Task<Result<bool>> OwnRange(std::uint32_t first_page) {
    PageRange pages{static_cast<std::uint16_t>(first_page),
                    static_cast<std::uint16_t>(first_page + kPagesPerDigestMax - 1)};
    RangeLocks::Guard guard = co_await context_.order.Lock(chunk_, pages);
    Result<ChunkDigest> written = co_await context_.stores.Digest(chunk_, first_page, kPagesPerDigestMax);
    if (!written) co_return written.error();
    const std::uint64_t begin = first_page * kPageBytes;
    if (!written->exists || begin >= written->length_bytes) co_return false;
    ChunkDigest read = *written;
    CO_TRY(co_await ReadIntoDigest(context_.stores, chunk_, first_page, read));
    for (std::size_t block = 0; block < read.checksums.size(); ++block) {
      if (read.checksums[block] == written->checksums[block]) continue;
      co_await OwnBlock(static_cast<std::uint32_t>(begin + block * kBlockBytes), written->checksums[block]);
    }
    co_return true;
  }

  Task<void> OwnBlock(std::uint32_t offset_bytes, BlockChecksum checksum) {
    for (ServerId server : group_.in_sync) {
      if (server == serving_.self) continue;
      MemberCalls member(context_, env_, group_.id, group_.epoch, server);
      Result<Slice> block = co_await member.ReadBlock(chunk_, offset_bytes);
      if (!block || ChecksumOf(block->span()) != checksum) continue;
      Result<void> stored = co_await Store(offset_bytes, std::move(*block), checksum);
      if (!stored) {
        Note(stored.error());
        co_return;
      }
      LogWarning("chunk {}: the block at {} had gone bad here and was replaced by chunkserver {}'s", chunk_.value(),
                 offset_bytes, server.value());
      outcome_.repaired_bytes += kBlockBytes;
      co_return;
    }
    Note(Error(ErrorCode::kCorrupt,
               fmt::format("the block at {} has gone bad here, and no other copy could be read", offset_bytes)));
  }

  Task<Result<void>> Store(std::uint32_t offset_bytes, Slice block, BlockChecksum checksum) {
    Result<ExtentStore*> store = co_await context_.stores.Find(chunk_);
    if (!store) co_return store.error();
    if (*store == nullptr) co_return Result<void>();  // removed meanwhile
    ChunkWrite write;
    write.chunk = chunk_;
    write.pg = group_.id;
    write.epoch = group_.epoch;
    write.offset_bytes = offset_bytes;
    write.payload = Payload(std::move(block));
    write.checksums.push_back(checksum);
    write.resync = true;
    write.may_spend_reserve = true;
    write.keeps_length = true;
    co_return co_await (*store)->Write(std::move(write));
  }

  Task<void> Member(ServerId server) {
    MemberCalls member(context_, env_, group_.id, group_.epoch, server);
    member.MaySpendReserve();
    ServerId at_fault;
    Result<Equalized> equal = co_await Equalize(context_, member, chunk_, false, at_fault, true);
    if (!equal) {
      Note(equal.error());
      co_return;
    }
    if (equal->sent_bytes == 0) co_return;
    LogWarning("chunk {}: {} bytes of the copy on chunkserver {} had gone bad and were replaced", chunk_.value(),
               equal->sent_bytes, server.value());
    outcome_.repaired_bytes += equal->sent_bytes;
  }

  void Note(const Error& error) {
    if (!outcome_.failure) outcome_.failure = error;
  }

  DataContext& context_;
  Env& env_;
  const Membership::Serving serving_;
  const MembershipView::Group& group_;  // in serving_
  const ChunkId chunk_;
  ScrubOutcome outcome_;
};

}  // namespace

Task<ScrubOutcome> ScrubChunk(DataContext& context, Env& env, Membership::Serving serving, ChunkId chunk) {
  Scrubbing scrubbing(context, env, std::move(serving), chunk);
  co_return co_await scrubbing.Run();
}

}  // namespace gabion
