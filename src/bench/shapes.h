// Shapes: the rows of src/kernels/*/cases.txt, which the program carries. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::bench {

struct Shape {
  std::string name;              // "qwen3-0.6b.down"
  std::vector<int64_t> numbers;  // as the file's head says
  bool selected = false;         // measured without --all
};

/// A file's shapes: "[*] NAME: NUMBER..." per line; # begins a comment. CHECKs the form: the files are ours.
std::vector<Shape> parse_shapes(std::string_view text);
/// Of the folder `kernel`; CHECKs that it has a file.
std::vector<Shape> shapes_of(std::string_view kernel);

}  // namespace tessera::bench
