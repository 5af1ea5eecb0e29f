# Flavours are chosen by CMakePresets.json through these options.
set(TESSERA_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize= (e.g. address,undefined or thread)")
option(TESSERA_ASSERTS "DCHECK and libstdc++ assertions" OFF)
option(TESSERA_TINY "tiny constants (pages of 2 tokens, prefill chunks of 3) so that every border is crossed" OFF)
option(TESSERA_COVERAGE "gcov instrumentation" OFF)
option(TESSERA_FUZZ "fuzz targets for libFuzzer (needs clang)" OFF)

add_library(tessera_flags INTERFACE)
target_include_directories(tessera_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_options(tessera_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
  # g++ 12 false positives inside libstdc++ at -O2 (gcc PR 105329, 105651, 104336).
  -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized -Wno-free-nonheap-object
  # The baseline of every file without an ISA name: x86-64-v2 would exclude nobody, but dispatch is ours to prove.
  -fno-math-errno)

if(TESSERA_SANITIZE)
  target_compile_options(tessera_flags INTERFACE -fsanitize=${TESSERA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tessera_flags INTERFACE -fsanitize=${TESSERA_SANITIZE})
  if(TESSERA_SANITIZE MATCHES undefined)
    # AddressSanitizer sees a null dereference as well. With these two and at -O2 a test over nlohmann-json takes 50 s to
    # compile with g++ 12; without, at -O1, 16 s.
    target_compile_options(tessera_flags INTERFACE -fno-sanitize=null,vptr)
  endif()
endif()
if(TESSERA_ASSERTS)
  target_compile_definitions(tessera_flags INTERFACE TESSERA_DCHECK=1 _GLIBCXX_ASSERTIONS)
endif()
if(TESSERA_TINY)
  target_compile_definitions(tessera_flags INTERFACE TESSERA_TINY=1)
endif()
if(TESSERA_FUZZ)
  # The parsers themselves must be instrumented: the flag belongs to all of the program.
  target_compile_options(tessera_flags INTERFACE -fsanitize=fuzzer-no-link -Wno-unknown-warning-option
                         -Wno-deprecated-declarations)  # libstdc++ 12 itself
  target_link_options(tessera_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TESSERA_COVERAGE)
  target_compile_options(tessera_flags INTERFACE --coverage)
  target_link_options(tessera_flags INTERFACE --coverage)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD AND NOT TESSERA_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
