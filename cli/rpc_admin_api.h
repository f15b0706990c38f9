#pragma once

#include <memory>
#include <vector>

#include "cli/admin_api.h"
#include "common/env/clock.h"
#include "common/env/transport.h"

namespace gabion {

/// AdminApi over the network, with an event loop of its own. Connects at the first call, to the first of `metaservers`
/// that answers; each is given `timeout`.
std::unique_ptr<AdminApi> MakeRpcAdminApi(std::vector<Endpoint> metaservers, Duration timeout);

}  // namespace gabion
