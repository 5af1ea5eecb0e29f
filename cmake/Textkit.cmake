# The Rust crate rust/textkit as the imported static library `textkit`. One cargo folder serves every preset: the crate
# takes minutes to build and no sanitizer flavour changes it.
find_program(CARGO cargo HINTS $ENV{HOME}/.cargo/bin REQUIRED)
set(TEXTKIT_DIR ${CMAKE_SOURCE_DIR}/rust/textkit)
set(TEXTKIT_TARGET_DIR ${CMAKE_SOURCE_DIR}/build/cargo)
set(TEXTKIT_LIBRARY ${TEXTKIT_TARGET_DIR}/release/libtextkit.a)
set(TEXTKIT_CARGO ${CARGO} build --release --locked --quiet)
if(TESSERA_FUZZ)
  # Coverage for libFuzzer. Only with a --target do the flags spare the crates' build scripts, which could not link.
  set(TEXTKIT_TARGET_DIR ${CMAKE_SOURCE_DIR}/build/cargo-fuzz)
  set(TEXTKIT_LIBRARY ${TEXTKIT_TARGET_DIR}/x86_64-unknown-linux-gnu/release/libtextkit.a)
  string(CONCAT flags "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table "
                      "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-trace-compares")
  set(TEXTKIT_CARGO ${CMAKE_COMMAND} -E env "RUSTFLAGS=${flags}" ${TEXTKIT_CARGO} --target x86_64-unknown-linux-gnu)
endif()
file(GLOB TEXTKIT_SOURCES CONFIGURE_DEPENDS ${TEXTKIT_DIR}/src/*.rs)

# cargo leaves an up-to-date library untouched, also when only its own inputs look newer: touch it so that ninja rests.
add_custom_command(OUTPUT ${TEXTKIT_LIBRARY}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${TEXTKIT_TARGET_DIR} ${TEXTKIT_CARGO}
  COMMAND ${CMAKE_COMMAND} -E touch ${TEXTKIT_LIBRARY}
  WORKING_DIRECTORY ${TEXTKIT_DIR}
  DEPENDS ${TEXTKIT_SOURCES} ${TEXTKIT_DIR}/Cargo.toml ${TEXTKIT_DIR}/Cargo.lock
  COMMENT "cargo build rust/textkit" USES_TERMINAL VERBATIM)
add_custom_target(textkit_crate DEPENDS ${TEXTKIT_LIBRARY})

add_library(textkit STATIC IMPORTED GLOBAL)
set_target_properties(textkit PROPERTIES IMPORTED_LOCATION ${TEXTKIT_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${TEXTKIT_DIR})
target_link_libraries(textkit INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
add_dependencies(textkit textkit_crate)
