#include "bench/shapes.h"

#include <charconv>

#include "base/check.h"
#include "kernel_cases.h"

namespace tessera::bench {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

std::vector<int64_t> parse_numbers(std::string_view text) {
  std::vector<int64_t> numbers;
  while (!(text = trim(text)).empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    CHECK(error == std::errc() && number > 0, "cases.txt: \"{}\"", text);
    numbers.push_back(number);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  return numbers;
}

}  // namespace

std::vector<Shape> parse_shapes(std::string_view text) {
  std::vector<Shape> shapes;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    Shape shape;
    if (line.front() == '*') {
      shape.selected = true;
      line = trim(line.substr(1));
    }
    const size_t colon = line.find(':');
    CHECK(colon != std::string_view::npos, "cases.txt: \"{}\", expected NAME: NUMBERS", line);
    shape.name = line.substr(0, colon);
    shape.numbers = parse_numbers(line.substr(colon + 1));
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

std::vector<Shape> shapes_of(std::string_view kernel) {
  for (const auto& file : kKernelCaseFiles) {
    if (file.kernel == kernel) return parse_shapes(file.text);
  }
  CHECK(false, "src/kernels/{} has no cases.txt", kernel);
  return {};
}

}  // namespace tessera::bench
