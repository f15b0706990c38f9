#pragma once

#include <vector>

#include "metaserver/cluster/cluster.h"
#include "proto/admin.pb.h"

namespace gabion {

/// What the groups lack, and how far what is done about it has come. Pure.
proto::RecoveryStatus SummarizeRecovery(const std::vector<Cluster::GroupView>& groups);

/// One group in full. Pure.
proto::PgStatus StatusOf(const Cluster::GroupView& view);

}  // namespace gabion
