# Debian packages only; tools/install_dependencies names them. docs/decisions/ says why each was chosen.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
# The core alone: its CMake files would also want the web server and the HTTP client of parts that are not used here.
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
find_package(OpenMP QUIET COMPONENTS CXX)  # for thread_pool_bench alone

# Boost.Asio and Beast are header-only here; their instantiations are slow to compile, so only src/http includes them.
add_library(tessera_boost INTERFACE)
target_link_libraries(tessera_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(tessera_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(TESSERA_SANITIZE MATCHES thread)
  # ThreadSanitizer does not understand Asio's fences (and g++ says so); strands synchronise by their mutex anyway.
  target_compile_definitions(tessera_boost INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
