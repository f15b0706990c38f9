#!/bin/bash
# A C++ project is configured, compiled, linked and run on the mount, by two compilers at once.
# timeout: 600
source "$E2E_LIB"

step "GoogleTest and a test of its own, built on the mount"
cp -r /usr/src/googletest "$MOUNT/googletest"
mkdir "$MOUNT/app"
cat >"$MOUNT/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(app CXX)
set(CMAKE_CXX_STANDARD 17)
add_subdirectory(../googletest googletest)
enable_testing()
add_executable(app_test app_test.cc)
target_link_libraries(app_test gtest_main)
add_test(NAME app COMMAND app_test)
CMAKE
cat >"$MOUNT/app/app_test.cc" <<'CXX'
#include <gtest/gtest.h>
#include <map>
#include <string>
TEST(AppTest, Works) {
  std::map<std::string, int> words{{"gabion", 1}};
  EXPECT_EQ(words["gabion"], 1);
}
CXX
export CCACHE_DISABLE=1
cmake -S "$MOUNT/app" -B "$MOUNT/app/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug >cmake.log || fail "$(cat cmake.log)"
cmake --build "$MOUNT/app/build" -j 2 | tail -n 3
(cd "$MOUNT/app/build" && ctest --output-on-failure | tail -n 4)

step "nothing is built twice"
expect_has "$(cmake --build "$MOUNT/app/build")" "no work to do" "a second build"
touch "$MOUNT/app/app_test.cc"
expect_has "$(cmake --build "$MOUNT/app/build")" "app_test" "a build after a change"

step "the program runs after a remount"
"$CLUSTER" remount --dir "$STORE"
"$MOUNT/app/build/app_test" | tail -n 1
expect_has "$(cmake --build "$MOUNT/app/build")" "no work to do" "a build after the remount"
