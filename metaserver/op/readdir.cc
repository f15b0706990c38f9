#include <fmt/format.h>

#include <algorithm>

#include "common/base/byte_units.h"
#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

namespace {

constexpr std::uint32_t kMaxEntries = 2048;
// Each costs a read: the strand is not held for long, and the smallest cache has all of them in memory together.
constexpr std::uint32_t kMaxEntriesWithAttr = 256;
constexpr std::size_t kMaxNamesBytes = 256 * kKiB;

/// Adds the attributes of all entries. All are asked for before giving up on one that is not in memory, so that one
/// round of loading brings what the page needs.
Result<void> AddAttributes(Txn& txn, OpContext& context, proto::ReadDirReply& reply) {
  Result<void> blocked;
  for (proto::DirEntry& entry : *reply.mutable_entries()) {
    Result<std::optional<records::Inode>> inode = txn.FindInode(Ino(entry.ino()));
    if (!inode) {
      if (inode.error().code() != ErrorCode::kWouldBlock) return inode.error();
      blocked = inode.error();
      continue;
    }
    if (!*inode) continue;
    // Whoever wants to know the size of a file that another client is writing waits; a listing does not.
    if (IsRegular(**inode) && context.IsWrittenElsewhere(Ino(entry.ino()))) continue;
    *entry.mutable_attr() = MakeAttr(context, Ino(entry.ino()), **inode);
  }
  return blocked;
}

}  // namespace

Result<proto::ReadDirReply> ReadDir(Txn& txn, const proto::ReadDirRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode directory, GetInode(txn, ino));
  if (!IsDirectory(directory))
    return Error(ErrorCode::kNotDirectory, fmt::format("inode {} is not a directory", ino.value()));
  if (!context.SessionHasOpen(ino)) TRY(RequireAccess(directory, context.caller, kMayRead));
  if (request.after_name().size() > kMaxNameBytes) return Error(ErrorCode::kNameTooLong, "a cursor longer than a name");

  const std::uint32_t limit = request.with_attr() ? kMaxEntriesWithAttr : kMaxEntries;
  const std::size_t max_entries = std::clamp<std::uint32_t>(request.max_entries(), 1, limit);
  proto::ReadDirReply reply;
  reply.set_end(true);
  std::size_t names_bytes = 0;
  TRY(txn.ScanDentries(
      ino, request.after_name(), max_entries, [&](std::string_view name, const records::Dentry& dentry) {
        if (static_cast<std::size_t>(reply.entries_size()) == max_entries || names_bytes > kMaxNamesBytes) {
          reply.set_end(false);
          return false;
        }
        names_bytes += name.size();
        proto::DirEntry* entry = reply.add_entries();
        entry->set_name(std::string(name));
        entry->set_ino(dentry.ino());
        entry->set_mode(dentry.type_mode());
        return true;
      }));
  reply.set_entries_leased(context.Lease(ino));
  if (request.with_attr()) TRY(AddAttributes(txn, context, reply));
  return reply;
}

}  // namespace gabion::op
