// As GoogleTest's own, with --mutate NAME as gabion-sim has it: some scenario has to fail then.
#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

#include "tests/sim/mutations.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool mutates = argc == 3 && std::string_view(argv[1]) == "--mutate";
  if (argc > 1 && !mutates) {
    std::fprintf(stderr, "usage: %s [--mutate NAME] [GoogleTest's options]\n", argv[0]);
    return 2;
  }
  if (mutates && !gabion::Mutate(argv[2])) {
    std::fprintf(stderr, "no mutation %s in this build\n", argv[2]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
