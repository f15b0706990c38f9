# Everything comes from Debian 12 packages; scripts/bootstrap holds the list.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3)

# Asio's non-template half is compiled once (asio.cc): its headers are most of what a coroutine file costs to compile.
add_library(gabion_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/asio.cc)
# It finds out about aligned_alloc only where a standard header was included before it: said here, so that all files agree on
# who frees what.
target_compile_definitions(gabion_asio PUBLIC ASIO_SEPARATE_COMPILATION ASIO_NO_DEPRECATED ASIO_STANDALONE
                           ASIO_HAS_STD_ALIGNED_ALLOC=1)
target_link_libraries(gabion_asio PUBLIC Threads::Threads)

# toml++ from its headers: the compiled one in the package throws, where we want a result.
add_library(gabion_toml INTERFACE)
target_compile_definitions(gabion_toml INTERFACE TOML_EXCEPTIONS=0 TOML_HEADER_ONLY=1)
target_compile_features(gabion_toml INTERFACE cxx_std_20)
