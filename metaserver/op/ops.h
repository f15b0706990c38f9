#pragma once

#include "metaserver/op/op_context.h"
#include "proto/meta.pb.h"

namespace gabion::op {

// Every namespace op (op_context.h says what an op is), each in the file named for it. Beside the errors listed here,
// which are the errno of the system call, all give those of Txn. Ids are looked at before anything else, so kStale (an
// inode) and kNotFound (a removed directory) go before permissions.

/// lookup.cc. A name that is not there is an answer without attributes if it may be remembered. Errors: kNotFound,
/// kNotDirectory, kPermissionDenied, kNameTooLong.
Result<proto::LookupReply> Lookup(Txn& txn, const proto::LookupRequest& request, OpContext& context);
/// getattr.cc. Errors: kStale.
Result<proto::GetAttrReply> GetAttr(Txn& txn, const proto::GetAttrRequest& request, OpContext& context);
/// setattr.cc: chmod, chown, truncate, utimes, together or alone. Errors: kStale, kNotPermitted, kPermissionDenied,
/// kTooLarge, kIsDirectory, kInvalidArgument (size of what is no file), kBusy (longer, and a trim is pending).
Result<proto::SetAttrReply> SetAttr(Txn& txn, const proto::SetAttrRequest& request, OpContext& context);
/// create.cc: open(O_CREAT), mknod, mkdir, symlink, O_TMPFILE. Errors: kNotFound, kNotDirectory, kExists, kIsDirectory,
/// kStale (the name is now something that open(O_CREAT) has to look up again), kPermissionDenied, kNotPermitted
/// (devices), kNameTooLong, kTooManyLinks, kInvalidArgument (also ids that are not the session's).
Result<proto::CreateReply> Create(Txn& txn, const proto::CreateRequest& request, OpContext& context);
/// link.cc. Errors: kStale, kNotFound, kNotDirectory, kExists, kNotPermitted (a directory), kPermissionDenied,
/// kTooManyLinks.
Result<proto::LinkReply> Link(Txn& txn, const proto::LinkRequest& request, OpContext& context);
/// unlink.cc. Errors: kNotFound, kNotDirectory, kIsDirectory, kPermissionDenied, kNotPermitted (sticky), kNameChanged.
Result<proto::UnlinkReply> Unlink(Txn& txn, const proto::UnlinkRequest& request, OpContext& context);
/// rmdir.cc. Errors: as Unlink; kNotEmpty.
Result<proto::RmdirReply> Rmdir(Txn& txn, const proto::RmdirRequest& request, OpContext& context);
/// rename.cc. Errors: kNotFound, kNotDirectory, kIsDirectory, kNotEmpty, kExists (no_replace), kPermissionDenied,
/// kNotPermitted, kInvalidArgument (into itself), kTooManyLinks, kNameChanged.
Result<proto::RenameReply> Rename(Txn& txn, const proto::RenameRequest& request, OpContext& context);
/// readlink.cc. Errors: kStale, kInvalidArgument.
Result<proto::ReadLinkReply> ReadLink(Txn& txn, const proto::ReadLinkRequest& request, OpContext& context);
/// readdir.cc. Errors: kStale, kNotDirectory, kPermissionDenied.
Result<proto::ReadDirReply> ReadDir(Txn& txn, const proto::ReadDirRequest& request, OpContext& context);
/// open.cc. Errors: kStale, kPermissionDenied, kIsDirectory, kInvalidArgument (a handle in use for another file).
Result<proto::OpenReply> Open(Txn& txn, const proto::OpenRequest& request, OpContext& context);
/// open.cc. Errors: kInvalidArgument (a handle in use for another file; too many), kOverloaded.
Result<proto::NameHandlesReply> NameHandles(Txn& txn, const proto::NameHandlesRequest& request, OpContext& context);
/// open.cc. Errors: kStale, kIsDirectory, kInvalidArgument. An answer without the lease: ask again.
Result<proto::AcquireWriteReply> AcquireWrite(Txn& txn, const proto::AcquireWriteRequest& request, OpContext& context);
/// open.cc. Unknown handles are ignored, so that it can be repeated.
Result<proto::ReleaseReply> Release(Txn& txn, const proto::ReleaseRequest& request, OpContext& context);
/// xattr.cc. Errors: kStale, kPermissionDenied, kNotPermitted, kNotSupported (namespace), kRange (name),
/// kArgumentTooLong (value), kNoSpace (all of the inode's), kExists, kNoAttribute.
Result<proto::SetXattrReply> SetXattr(Txn& txn, const proto::SetXattrRequest& request, OpContext& context);
Result<proto::GetXattrReply> GetXattr(Txn& txn, const proto::GetXattrRequest& request, OpContext& context);
Result<proto::ListXattrReply> ListXattr(Txn& txn, const proto::ListXattrRequest& request, OpContext& context);
Result<proto::RemoveXattrReply> RemoveXattr(Txn& txn, const proto::RemoveXattrRequest& request, OpContext& context);
/// statfs.cc. No errors of its own.
Result<proto::StatFsReply> StatFs(Txn& txn, const proto::StatFsRequest& request, OpContext& context);
/// commit_write.cc. Errors: kStale, kIsDirectory, kInvalidArgument, kPermissionDenied, kTooLarge, kBusy (the file would
/// grow, and a trim is pending).
Result<proto::CommitWriteReply> CommitWrite(Txn& txn, const proto::CommitWriteRequest& request, OpContext& context);
/// chunks.cc. Errors: as CommitWrite; kUnavailable (no placement groups yet, or a cut is being cleaned up), kNoSpace.
Result<proto::AllocateChunksReply> AllocateChunks(Txn& txn, const proto::AllocateChunksRequest& request,
                                                  OpContext& context);
/// chunks.cc. Errors: kStale, kIsDirectory, kInvalidArgument, kPermissionDenied.
Result<proto::GetChunksReply> GetChunks(Txn& txn, const proto::GetChunksRequest& request, OpContext& context);
/// trim.cc. Errors: kStale, kIsDirectory, kInvalidArgument, kPermissionDenied.
Result<proto::FinishTrimReply> FinishTrim(Txn& txn, const proto::FinishTrimRequest& request, OpContext& context);
/// lock.cc. Errors: kInvalidArgument, kDeadlock, kNoLocks, kUnavailable (after a restart, until all clients of before
/// have named their locks).
Result<proto::SetLockReply> SetLock(Txn& txn, const proto::SetLockRequest& request, OpContext& context);
/// lock.cc. Errors: kInvalidArgument, kUnavailable (as SetLock).
Result<proto::TestLockReply> TestLock(Txn& txn, const proto::TestLockRequest& request, OpContext& context);
/// lock.cc. Errors: kInvalidArgument.
Result<proto::NameLocksReply> NameLocks(Txn& txn, const proto::NameLocksRequest& request, OpContext& context);
/// lock.cc. No errors of its own.
Result<proto::CancelLockReply> CancelLock(Txn& txn, const proto::CancelLockRequest& request, OpContext& context);

/// open.cc: the server's own op. Removes an orphan that nobody has open any more. No errors of its own.
Result<void> RemoveOrphan(Txn& txn, OpContext& context, Ino ino);

}  // namespace gabion::op
