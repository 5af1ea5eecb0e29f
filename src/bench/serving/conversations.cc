#include "bench/serving/conversations.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "bench/serving/json_scan.h"
#include "default_calibration_text.h"

namespace tessera::bench::serving {
namespace {

constexpr size_t kPieceBytes = 1200;  // about 280 tokens

/// The first two elements of an array, empty where there are fewer.
std::pair<std::string_view, std::string_view> first_two(std::string_view array) {
  std::pair<std::string_view, std::string_view> found;
  each_element(array, [&](std::string_view value) {
    if (found.first.empty()) {
      found.first = value;
      return true;
    }
    found.second = value;
    return false;
  });
  return found;
}

/// Where the word begins that `at` is in or before.
size_t word_from(std::string_view text, size_t at) {
  const size_t space = text.find_first_of(" \n", at);
  return space == std::string_view::npos ? 0 : space + 1;
}

}  // namespace

Result<Conversations> Conversations::open(const std::string& path) {
  Conversations all;
  all.name_ = path;
  all.file_ = std::make_unique<MappedFile>(TRY(MappedFile::open(path)));
  const auto bytes = all.file_->bytes();
  TRY_STATUS(all.read({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  return all;
}

Result<Conversations> Conversations::parse(std::string text, std::string name) {
  Conversations all;
  all.name_ = std::move(name);
  all.text_ = std::make_unique<std::string>(std::move(text));
  TRY_STATUS(all.read(*all.text_));
  return all;
}

Conversations Conversations::built_in(size_t count) {
  const std::string_view novel = kCalibrationText;
  auto list = nlohmann::json::array();
  for (size_t i = 0; i < count; ++i) {
    // Beginnings as far apart as they can be; another round through the novel begins elsewhere in the pieces.
    const size_t pieces = novel.size() / kPieceBytes;
    const size_t round = i / pieces;
    const size_t from = word_from(novel, (i % pieces) * kPieceBytes + round * 37 % kPieceBytes);
    const std::string_view piece = novel.substr(from, kPieceBytes);
    const size_t middle = word_from(piece, piece.size() / 2);
    list.push_back(
        {{"conversations", {{{"value", piece.substr(0, middle)}}, {{"value", piece.substr(middle)}}}}});
  }
  auto all = parse(list.dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore), "the built-in text");
  CHECK(all.has_value(), "{}", all.error().message());
  return std::move(*all);
}

Status Conversations::read(std::string_view json) {
  cut_short_ = !each_element(json, [this](std::string_view conversation) {
    std::string_view turns = member(conversation, "conversations");
    if (turns.empty()) turns = member(conversation, "conversation");
    const auto [first, second] = first_two(turns);
    if (!second.empty()) turns_.push_back({member(first, "value"), member(second, "value")});
    return true;
  });
  if (turns_.empty()) {
    return data_corrupt(
        "{}: no conversations of two turns, expected a JSON list "
        "[{{\"conversations\": [{{\"value\": TEXT}}, {{\"value\": TEXT}}]}}, ...]",
        name_);
  }
  order_.resize(turns_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  return {};
}

Result<std::string> Conversations::text(std::string_view json) const {
  auto plain = string_value(json);
  if (!plain) {
    return data_corrupt("{}: a conversation's \"value\" is {}, expected a text", name_,
                        json.empty() ? std::string_view("missing") : json.substr(0, 60));
  }
  return *std::move(plain);
}

}  // namespace tessera::bench::serving
