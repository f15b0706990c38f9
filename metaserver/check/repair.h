#pragma once

#include "metaserver/op/op_context.h"
#include "proto/admin.pb.h"

namespace gabion {

/// Stages what puts a fault of a volume's records right, on its strand. Ops have gone on since it was found, and have
/// moved what was wrong as they move what is right: so counts are set by how much they were wrong, and names and inodes
/// are only touched if they are what they were. False: nothing was staged, for that is no longer so. Errors: those of
/// Txn.
Result<bool> StageRepair(Txn& txn, OpContext& context, const proto::CheckFault& fault);

/// The name in the volume's root that a lost inode gets.
std::string LostName(Ino ino);

}  // namespace gabion
