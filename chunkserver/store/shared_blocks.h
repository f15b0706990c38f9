#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gabion {

/// The blocks of one segment that more than one page refers to: block within the segment -> references, at least 2
/// (docs/formats/chunk_index.md). Blocks that are allocated and not in here have one.
class SharedBlocks {
 public:
  static constexpr std::uint32_t kReferencesMax = UINT32_MAX;

  bool empty() const { return counts_.empty(); }
  std::uint32_t references(std::uint16_t block) const;
  /// One more. False if there are kReferencesMax already.
  [[nodiscard]] bool Add(std::uint16_t block);
  /// One less; true if that was the last one, so that the block is free.
  [[nodiscard]] bool Drop(std::uint16_t block);

  std::string Encode() const;
  /// Errors: kCorrupt; kVersionMismatch for a record of a newer program.
  static Result<SharedBlocks> Decode(std::string_view value);

  friend bool operator==(const SharedBlocks&, const SharedBlocks&) = default;

 private:
  std::map<std::uint16_t, std::uint32_t> counts_;
};

}  // namespace gabion
