#include "tests/unit/chunkserver/store/sim_store.h"

#include <gtest/gtest.h>

#include "tests/unit/chunkserver/store/index_checker.h"

namespace gabion {

StoreOptions SmallStoreOptions() {
  StoreOptions options;
  options.slab_bytes = 2 * kMiB;
  options.pending_pages_max = 256;
  options.inline_blocks_max = 64;
  return options;
}

std::string Pattern(std::uint64_t seed, std::size_t length) {
  std::string bytes(length, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

ChunkWrite MakeWrite(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync) {
  ChunkWrite write;
  write.chunk = chunk;
  write.pg = PgId(7);
  write.epoch = Epoch(3);
  write.offset_bytes = offset_bytes;
  Slice slice = Slice::CopyOf(bytes);
  write.checksums = PieceChecksums(offset_bytes, slice.span());
  write.payload = Payload(slice);
  write.sync = sync;
  return write;
}

std::string BytesOf(const ChunkRead& read, std::size_t length) {
  Slice bytes = read.payload.Joined();
  EXPECT_EQ(bytes.size(), read.checksums.size() * kBlockBytes);
  for (std::size_t i = 0; i < read.checksums.size(); ++i) {
    EXPECT_EQ(ChecksumOf(bytes.span().subspan(i * kBlockBytes, kBlockBytes)), read.checksums[i]) << "block " << i;
  }
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.resize(length, '\0');
  return text;
}

SimStore::SimStore(std::uint64_t seed, StoreOptions options, std::uint64_t disk_bytes)
    : world_(seed), machine_(world_.AddMachine("server")), options_(options) {
  platter().options().capacity_bytes = disk_bytes;
  Open();
}

SimStore::~SimStore() {
  if (store_ != nullptr) Close();
}

Result<void> SimStore::TryOpen() {
  store_ = std::make_unique<ExtentStore>(machine_.env(), machine_.disk("disk"), machine_.kv("index"), "disk", options_);
  return Run(store_->Open());
}

void SimStore::Open() {
  Result<void> opened = TryOpen();
  ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
}

void SimStore::Close() {
  world_.RunUntilDone(store_->Stop());
  store_.reset();
}

void SimStore::Restart() {
  Close();
  Open();
}

void SimStore::KillAndRestart() {
  machine_.KillProcess();
  Restart();
}

void SimStore::LosePowerAndRestart() {
  machine_.LosePower();
  Restart();
}

void SimStore::MustWrite(ChunkId chunk, std::uint32_t offset_bytes, std::string_view bytes, bool sync) {
  Result<void> written = Write(chunk, offset_bytes, bytes, sync);
  ASSERT_TRUE(written.has_value()) << written.error().ToString();
}

void SimStore::MustSync() {
  Result<void> synced = Run(store_->Sync());
  ASSERT_TRUE(synced.has_value()) << synced.error().ToString();
}

std::string SimStore::MustRead(ChunkId chunk, std::uint32_t offset_bytes, std::size_t length) {
  std::uint32_t begin = static_cast<std::uint32_t>(RoundDown(offset_bytes, kBlockBytes));
  std::uint32_t size = static_cast<std::uint32_t>(RoundUp(offset_bytes + length, kBlockBytes) - begin);
  Result<ChunkRead> read = Run(store_->Read(chunk, begin, size));
  if (!read) {
    ADD_FAILURE() << read.error().ToString();
    return "";
  }
  return BytesOf(*read, size).substr(offset_bytes - begin, length);
}

Result<void> SimStore::Zero(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
  ChunkZero zero;
  zero.chunk = chunk;
  zero.pg = PgId(7);
  zero.epoch = Epoch(4);
  zero.offset_bytes = offset_bytes;
  zero.length_bytes = length_bytes;
  return Run(store_->Zero(zero));
}

Result<void> SimStore::Trim(ChunkId chunk, std::uint32_t length_bytes, std::uint64_t generation) {
  ChunkTrim trim;
  trim.chunk = chunk;
  trim.pg = PgId(7);
  trim.epoch = Epoch(5);
  trim.length_bytes = length_bytes;
  trim.generation = generation;
  return Run(store_->Trim(trim));
}

Result<void> SimStore::Copy(ChunkId source, std::uint32_t from_bytes, ChunkId target, std::uint32_t to_bytes,
                            std::uint32_t length_bytes) {
  ChunkCopy copy;
  copy.source = source;
  copy.target = target;
  copy.pg = PgId(7);
  copy.epoch = Epoch(6);
  copy.source_offset_bytes = from_bytes;
  copy.offset_bytes = to_bytes;
  copy.length_bytes = length_bytes;
  return Run(store_->Copy(copy));
}

void SimStore::MustClearUnsettled(std::vector<ChunkId> chunks) {
  Result<void> cleared = Run(store_->ClearUnsettled(PgId(7), std::move(chunks)));
  ASSERT_TRUE(cleared.has_value()) << cleared.error().ToString();
}

ChunkPage SimStore::MustList(ListQuery query) {
  Result<ChunkPage> page = Run(store_->List(query));
  if (!page) {
    ADD_FAILURE() << page.error().ToString();
    return {};
  }
  return *page;
}

std::optional<ChunkStat> SimStore::MustStat(ChunkId chunk) {
  Result<std::optional<ChunkStat>> stat = Run(store_->Stat(chunk));
  if (!stat) {
    ADD_FAILURE() << stat.error().ToString();
    return std::nullopt;
  }
  return *stat;
}

void SimStore::Settle() {
  // Twice: what moves in the first round frees blocks that are reusable after the second one's sync.
  world_.RunFor(3 * (options_.sync_interval + options_.upkeep_interval));
}

void SimStore::CheckIndex() {
  // The upkeep goes on meanwhile; the checker reads the index in one go.
  std::string problems = IndexChecker(machine_.kv("index")).Check();
  EXPECT_EQ(problems, "") << "seed " << world_.seed();
}

}  // namespace gabion
