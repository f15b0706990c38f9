#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <map>

#include "metaserver/store/records.pb.h"

namespace gabion {

/// The ids delegated to one session: what it proposes for new inodes and chunks must lie in them, so that no session
/// can take another's.
class IdRanges {
 public:
  /// Ranges a session may hold; when there are more, the oldest are forgotten. With kMaxDelegation ids a range, a
  /// session gets there after billions of files made in turn with other sessions.
  static constexpr std::size_t kMaxRanges = 4096;

  IdRanges() = default;
  explicit IdRanges(const google::protobuf::RepeatedPtrField<records::Range>& ranges);

  bool Contains(std::uint64_t id) const;
  /// A range that touches the newest one lengthens it.
  void Add(std::uint64_t first, std::uint64_t count);
  void Store(google::protobuf::RepeatedPtrField<records::Range>* ranges) const;
  std::size_t size() const { return ranges_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // first -> count; ids only grow, so the least is the oldest
};

}  // namespace gabion
