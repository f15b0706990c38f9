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

# gabion_test(NAME LABEL unit|contract|sim [SEPARATE] SOURCES file... DEPENDS target...): a GoogleTest program, each suite a
# ctest, named LABEL.NAME.SUITE: starting a process with sanitizers for every case costs more than most cases do. SEPARATE:
# its files use the same short names each for something else, and are compiled one by one.
function(gabion_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SEPARATE" "LABEL;TIMEOUT" "SOURCES;DEPENDS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(arg_SEPARATE)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  target_link_libraries(${name} PRIVATE gabion_options ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  set(suites ${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake)
  add_custom_command(
    TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${name}> -D LABEL=${arg_LABEL} -D TIMEOUT=${arg_TIMEOUT}
            -D OUTPUT=${suites} -P ${PROJECT_SOURCE_DIR}/cmake/list_suites.cmake
    VERBATIM)
  # Without its program, the tests are there, and fail.
  file(WRITE ${suites}.absent "add_test([=[${arg_LABEL}.${name}.NOT_BUILT]=] ${name}_NOT_BUILT)\n")
  file(WRITE ${suites}.include
       "if(EXISTS [=[${suites}]=])\n  include([=[${suites}]=])\nelse()\n  include([=[${suites}.absent]=])\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${suites}.include)
endfunction()
