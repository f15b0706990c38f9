# Language level, warnings and sanitizers. `gabion_options` is linked by our own code only, never by generated code.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# Assertions of broken invariants (common/base/check.h) do not depend on NDEBUG; -O2 for both release and its debugging.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

set(GABION_SANITIZER "" CACHE STRING "Value of -fsanitize=, empty for none")
if(GABION_SANITIZER)
  add_compile_options(-fsanitize=${GABION_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GABION_SANITIZER})
  if(GABION_SANITIZER MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

add_library(gabion_options INTERFACE)
target_compile_options(gabion_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Woverloaded-virtual -Werror
  # False in GCC 12's optimised builds: it inlines the allocation of a coroutine frame but not its end and takes Asio's pair
  # for a mismatch; and it sees overlaps in its own std::string (PR 105651).
  -Wno-mismatched-new-delete -Wno-restrict
  # Several sources are compiled as one (CMAKE_UNITY_BUILD in CMakePresets.json: most of what a file costs is Asio's and
  # Protobuf's headers), where GCC takes each of them for a header and its unnamed namespace for a mistake.
  -Wno-subobject-linkage)
if(GABION_SANITIZER)
  # GCC 12 reports false positives of these under sanitizers.
  target_compile_options(gabion_options INTERFACE -Wno-maybe-uninitialized -Wno-tsan)
endif()
target_include_directories(gabion_options INTERFACE ${CMAKE_SOURCE_DIR})

# Faults of our own making that simulation has to find (common/env/mutate.h). Never in what is shipped.
option(GABION_MUTATIONS "Compile in the mutations that gabion-sim --mutate chooses from" OFF)
if(GABION_MUTATIONS)
  target_compile_definitions(gabion_options INTERFACE GABION_MUTATIONS)
endif()
