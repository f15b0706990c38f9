# gabion_library(NAME SOURCES file... DEPENDS target...): a static library of our own code.
function(gabion_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gabion_options PUBLIC ${arg_DEPENDS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# gabion_program(NAME SOURCES file... DEPENDS target...): an executable, in build/<preset>/.
function(gabion_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gabion_options ${arg_DEPENDS})
endfunction()

# gabion_test(NAME LABEL unit|contract|sim [SEPARATE] SOURCES file... DEPENDS target...): a GoogleTest program, each case a
# ctest. SEPARATE: its files use the same short names each for something else, and are compiled one by one.
include(GoogleTest)
function(gabion_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SEPARATE" "LABEL;TIMEOUT" "SOURCES;DEPENDS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(arg_SEPARATE)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  target_link_libraries(${name} PRIVATE gabion_options ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "${arg_LABEL}." PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
                       DISCOVERY_TIMEOUT 60)
endfunction()
