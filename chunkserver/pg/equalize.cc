#include "chunkserver/pg/equalize.h"

#include <algorithm>

#include "chunkserver/pg/member_ops.h"
#include "chunkserver/replication/read_verified.h"

namespace gabion {
namespace {

/// Blocks of a range in a row that are to be sent as one.
struct BlockSpan {
  std::size_t first = 0;
  std::size_t count = 0;
  bool zeros = false;
};

/// What of `mine` `theirs` has otherwise; what it lacks are zeros. Pure.
std::vector<BlockSpan> Differences(const std::vector<BlockChecksum>& mine,
                                   const google::protobuf::RepeatedField<std::uint64_t>& theirs) {
  std::vector<BlockSpan> spans;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    BlockChecksum other =
        i < static_cast<std::size_t>(theirs.size()) ? theirs[static_cast<int>(i)] : ZeroBlockChecksum();
    if (mine[i] == other) continue;
    bool zeros = mine[i] == ZeroBlockChecksum();
    if (!spans.empty() && spans.back().first + spans.back().count == i && spans.back().zeros == zeros) {
      ++spans.back().count;
    } else {
      spans.push_back({i, 1, zeros});
    }
  }
  return spans;
}

class Equalizer {
 public:
  Equalizer(DataContext& context, MemberCalls& member, ChunkId chunk, bool of_bytes, ServerId& at_fault)
      : context_(context), member_(member), chunk_(chunk), of_bytes_(of_bytes), at_fault_(at_fault) {}

  Task<Result<Equalized>> Run(bool unsettled) {
    for (std::uint32_t page = 0; page < kPagesPerChunk; page += kPagesPerDigestMax) {
      Result<bool> more = co_await Range(page);
      if (!more && more.error().code() == ErrorCode::kStale) break;  // removed there with its file: it stays away
      if (!more) co_return more.error();
      if (!*more) break;
    }
    if (of_bytes_ && same_shape_ && sent_bytes_ == 0) co_return Equalized{};  // nothing to put right
    co_return co_await Finish(unsettled);
  }

 private:
  const Error& Own(const Error& error) {
    at_fault_ = context_.membership.self();
    return error;
  }

  /// Makes 4 MiB equal; whether there is more after them.
  Task<Result<bool>> Range(std::uint32_t first_page) {
    PageRange pages{static_cast<std::uint16_t>(first_page),
                    static_cast<std::uint16_t>(first_page + kPagesPerDigestMax - 1)};
    RangeLocks::Guard guard = co_await context_.order.Lock(chunk_, pages);
    Result<ChunkDigest> mine = co_await context_.stores.Digest(chunk_, first_page, kPagesPerDigestMax);
    if (!mine) co_return Own(mine.error());
    std::uint64_t begin = first_page * kPageBytes;
    if (!mine->exists || begin >= mine->length_bytes) co_return false;
    Result<proto::DigestChunkReply> theirs = co_await member_.Digest(chunk_, first_page, kPagesPerDigestMax, of_bytes_);
    if (!theirs) co_return theirs.error();
    same_shape_ = theirs->exists() && theirs->length_bytes() == mine->length_bytes &&
                  theirs->trim_generation() == mine->trim_generation;
    for (const BlockSpan& span : Differences(mine->checksums, theirs->checksums())) {
      Result<void> sent = co_await Send(span, begin);
      if (!sent) co_return sent.error();
    }
    co_return true;
  }

  Task<Result<void>> Send(BlockSpan span, std::uint64_t range_begin) {
    auto offset_bytes = static_cast<std::uint32_t>(range_begin + span.first * kBlockBytes);
    auto length_bytes = static_cast<std::uint32_t>(span.count * kBlockBytes);
    if (span.zeros) co_return co_await member_.Zero(chunk_, offset_bytes, length_bytes);
    Result<ExtentStore*> store = co_await context_.stores.Find(chunk_);
    if (!store) co_return Own(store.error());
    if (*store == nullptr) co_return Result<void>();  // removed meanwhile: Finish removes it there
    Result<ChunkRead> read = co_await ReadVerified(**store, chunk_, offset_bytes, length_bytes);
    if (!read) co_return Own(read.error());
    if (read->payload.size() == 0) co_return Result<void>();
    sent_bytes_ += read->payload.size();
    co_return co_await member_.Write(chunk_, offset_bytes, std::move(read->payload), std::move(read->checksums));
  }

  /// With the whole chunk locked: length and trim generation, or its end.
  Task<Result<Equalized>> Finish(bool unsettled) {
    RangeLocks::Guard guard = co_await context_.order.Lock(chunk_, PageRange::WholeChunk());
    Result<ChunkDigest> mine = co_await context_.stores.Digest(chunk_, 0, 1);
    if (!mine) co_return Own(mine.error());
    proto::AdoptChunksRequest request;
    proto::AdoptedChunk& adopted = *request.add_chunks();
    adopted.set_chunk_id(chunk_.value());
    adopted.set_exists(mine->exists);
    adopted.set_length_bytes(mine->length_bytes);
    adopted.set_trim_generation(mine->trim_generation);
    adopted.set_unsettled(unsettled);
    Result<void> done = co_await member_.Adopt(std::move(request));
    if (!done) co_return done.error();
    co_return Equalized{{mine->exists, mine->length_bytes, mine->trim_generation}, sent_bytes_};
  }

  DataContext& context_;
  MemberCalls& member_;
  const ChunkId chunk_;
  const bool of_bytes_;
  ServerId& at_fault_;
  bool same_shape_ = false;  // at the last look
  std::uint64_t sent_bytes_ = 0;
};

}  // namespace

Task<Result<Equalized>> Equalize(DataContext& context, MemberCalls& member, ChunkId chunk, bool unsettled,
                                 ServerId& at_fault, bool of_bytes) {
  at_fault = member.member();
  Equalizer equalizer(context, member, chunk, of_bytes, at_fault);
  co_return co_await equalizer.Run(unsettled);
}

}  // namespace gabion
