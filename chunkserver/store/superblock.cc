#include "chunkserver/store/superblock.h"

#include "chunkserver/store/record_codec.h"
#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr std::uint8_t kSuperblockVersion = 2;
constexpr std::size_t kBootIdBytesMax = 256;

}  // namespace

std::string EncodeSuperblock(const Superblock& superblock) {
  RecordWriter writer;
  writer.U8(kSuperblockVersion);
  writer.U64(superblock.store_id);
  writer.U64(superblock.slab_bytes);
  writer.U32(superblock.slab_count);
  writer.U64(0);  // unused
  writer.Varint(superblock.boot_id.size());
  writer.Bytes(superblock.boot_id);
  writer.Varint(superblock.siblings.size());
  for (std::uint64_t sibling : superblock.siblings) writer.U64(sibling);
  return std::move(writer).Take();
}

Result<Superblock> DecodeSuperblock(std::string_view value) {
  RecordReader reader(value);
  if (std::uint8_t version = reader.U8(); reader.ok() && version != kSuperblockVersion) {
    std::string text = "the store has format version " + std::to_string(version) + "; this program knows version " +
                       std::to_string(kSuperblockVersion) + " only: ";
    text += version > kSuperblockVersion ? "start the newer program"
                                         : "no release made such a store; use an empty directory";
    return Error(ErrorCode::kVersionMismatch, std::move(text));
  }
  Superblock superblock;
  superblock.store_id = reader.U64();
  superblock.slab_bytes = reader.U64();
  superblock.slab_count = reader.U32();
  reader.U64();
  std::uint64_t boot_id_bytes = reader.Varint();
  if (boot_id_bytes <= kBootIdBytesMax) superblock.boot_id = reader.Bytes(boot_id_bytes);
  std::uint64_t sibling_count = reader.Varint();
  if (boot_id_bytes > kBootIdBytesMax || sibling_count > kSiblingsMax) {
    return Error(ErrorCode::kCorrupt, "superblock: a length that cannot be");
  }
  for (std::uint64_t i = 0; i < sibling_count && reader.ok(); ++i) superblock.siblings.push_back(reader.U64());
  bool slab_bytes_fit = superblock.slab_bytes >= kSlabBytesMin && superblock.slab_bytes <= kSlabBytesMax &&
                        superblock.slab_bytes % kBlockBytes == 0;
  if (!reader.AtEnd() || !slab_bytes_fit) {
    return Error(ErrorCode::kCorrupt, "superblock: wrong length or a slab size that cannot be");
  }
  return superblock;
}

}  // namespace gabion
