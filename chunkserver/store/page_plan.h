#pragma once

#include <vector>

#include "chunkserver/store/index_change.h"
#include "chunkserver/store/pending_pages.h"

namespace gabion {

/// What a set of page changes does beside the pages' own records.
struct ReferencePlan {
  struct Previous {
    PageKey key;
    PageRecord record;
    bool is_new = false;  // else it takes the place of the one of this generation
  };
  std::vector<Previous> previous;     // of the current generation
  std::vector<BlockAddress> added;    // one more reference each
  std::vector<BlockAddress> dropped;  // one less
};

/// Adds to `plan` what `change` means. A page refers to a block once for each place (block of the page) at which its
/// record or one of its previous records has the block.
///
/// - New bytes that may be lost with the power need something to fall back to: the page's record of before is kept as
/// its
///   previous one, if this generation has none yet.
/// - Where a block becomes a hole, or gets bytes that are durable, there is nothing older to fall back to any more: the
///   previous record of this generation follows.
///
/// Pure.
void PlanPageChange(const PageChange& change, bool data_is_durable, PendingPages& pending, ReferencePlan& plan);

/// The same for the end of a page's previous record `ended`, when its generation is durable: `newer` are the page's
/// records that stay (the previous ones of other generations, and the current one).
void PlanPreviousEnd(const PageRecord& ended, const std::vector<const PageRecord*>& staying, ReferencePlan& plan);

}  // namespace gabion
