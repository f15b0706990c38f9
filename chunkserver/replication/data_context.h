#pragma once

#include "chunkserver/cluster/membership.h"
#include "chunkserver/pg/joiners.h"
#include "chunkserver/pg/pg_table.h"
#include "chunkserver/pg/scrub_queue.h"
#include "chunkserver/replication/admission.h"
#include "chunkserver/replication/fences.h"
#include "chunkserver/replication/peers.h"
#include "chunkserver/replication/session_fences.h"
#include "chunkserver/replication/store_set.h"
#include "chunkserver/store/range_locks.h"
#include "common/coro/task_group.h"

namespace gabion {

/// What the data calls of a server share. Outlives them.
struct DataContext {
  Membership& membership;
  StoreSet& stores;
  Peers& peers;
  Fences& fences;
  PgTable& pgs;
  Joiners& joiners;
  Admission& admission;
  RangeLocks& order;  // of mutations, across the replicas; the stores have locks of their own
  TaskGroup& tasks;
  ScrubQueue& suspects;
  SessionFences& session_fences;
};

}  // namespace gabion
