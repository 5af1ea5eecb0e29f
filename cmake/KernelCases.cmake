# src/kernels/*/cases.txt, the shapes that `tessera bench kernels` measures -> kernel_cases.h, so that the program carries them.
file(GLOB TESSERA_CASES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/kernels/*/cases.txt)
set(entries "")
foreach(file IN LISTS TESSERA_CASES)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(kernel ${folder} NAME)
  file(READ ${file} text)
  string(APPEND entries "    {\"${kernel}\", R\"cases(${text})cases\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/kernel_cases.h CONTENT
"#pragma once
namespace tessera {
struct KernelCaseFile {
  const char* kernel;  // folder of src/kernels
  const char* text;
};
inline constexpr KernelCaseFile kKernelCaseFiles[] = {
@entries@};
}  // namespace tessera
" @ONLY)
