#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "tests/unit/cli/mock_admin_api.h"

namespace gabion {

/// Runs the `gabion` command on a metaserver that is a mock.
class AppFixture : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> arguments, bool interactive = false, const std::string& input = "") {
    in_.str(input);
    const auto wait = [this](Duration) { return --polls_until_interrupt_ != 0; };
    const AppHost host{{in_, out_, err_, interactive, false, wait},
                       [](const std::string&) { return std::optional<std::string>("meta:1"); },
                       [this](std::vector<Endpoint> endpoints, Duration timeout) {
                         endpoints_ = std::move(endpoints);
                         timeout_ = timeout;
                         return std::move(api_owner_);
                       }};
    return RunApp(arguments, host);
  }

  std::unique_ptr<MockAdminApi> api_owner_ = std::make_unique<testing::StrictMock<MockAdminApi>>();
  MockAdminApi& api_ = *api_owner_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::vector<Endpoint> endpoints_;
  Duration timeout_{0};
  int polls_until_interrupt_ = -1;  // then the user presses Ctrl-C; negative: never
};

}  // namespace gabion
