# The text on which `tessera quantize` calibrates unless told otherwise -> default_calibration_text.h, so that the program carries it.
set(TESSERA_CALIBRATION_TEXT ${CMAKE_SOURCE_DIR}/src/compress/calibrate/default_text.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${TESSERA_CALIBRATION_TEXT})
file(READ ${TESSERA_CALIBRATION_TEXT} text)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/default_calibration_text.h CONTENT
"#pragma once
namespace tessera {
inline constexpr char kCalibrationText[] = R\"calibration(@text@)calibration\";
}  // namespace tessera
" @ONLY)
