# The commit is read at configure time: good enough for `tessera version`, and it costs no rebuild per commit.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE TESSERA_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT TESSERA_COMMIT)
  set(TESSERA_COMMIT unknown)
endif()
# What a benchmark says of its build.
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
string(STRIP "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_CXX_FLAGS_${type}}" TESSERA_COMPILER)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/tessera_version.h CONTENT
"#pragma once
namespace tessera {
inline constexpr char kVersion[] = \"${PROJECT_VERSION}\";
inline constexpr char kCommit[] = \"${TESSERA_COMMIT}\";
inline constexpr char kCompiler[] = \"${TESSERA_COMPILER}\";
}  // namespace tessera
")
