#include "compress/calibrate/calibration_text.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "default_calibration_text.h"
#include "formats/json_limits.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"

namespace tessera::compress {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
// No tokenizer makes fewer than one token of so many bytes of what people write, so more is not tokenized.
constexpr size_t kMaxBytesPerToken = 16;

/// The text of a line: its "text", or its "messages" as the model was trained to see them.
class Documents {
 public:
  Documents(const std::string& model_path, const std::string& file) : model_path_(model_path), file_(file) {}

  Result<std::string> text_of(std::string_view line, size_t number) {
    const std::string where = file_ + ":" + std::to_string(number);
    const nlohmann::json object = TRY(formats::parse_json(line, where));
    if (object.is_object()) {
      if (const auto text = object.find("text"); text != object.end() && text->is_string())
        return text->get<std::string>();
      if (const auto messages = object.find("messages"); messages != object.end() && messages->is_array()) {
        if (!template_) TRY_STATUS(open_template());
        return template_->render(*messages, nullptr, false, nullptr);
      }
    }
    return invalid_argument("{}: expected an object with \"text\" or \"messages\"", where);
  }

 private:
  Status open_template() {
    const text::TokenizerConfig config = TRY(text::TokenizerConfig::load(model_path_));
    if (!config.chat_template)
      return invalid_argument("{}: \"messages\" in {}, but the model has no chat template", model_path_,
                              file_);
    template_ = TRY(text::ChatTemplate::compile(*config.chat_template, config.special_tokens()));
    return {};
  }

  std::string model_path_, file_;
  std::optional<text::ChatTemplate> template_;
};

Result<std::string> read_documents(const std::string& model_path, const std::string& file) {
  std::string content = TRY(read_text_file(file, kMaxFileBytes));
  if (!file.ends_with(".jsonl")) return content;
  Documents documents(model_path, file);
  std::string text;
  size_t number = 0;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    const std::string_view line = std::string_view(content).substr(begin, end - begin);
    ++number;
    if (line.find_first_not_of(" \r\t") != std::string_view::npos)
      text += TRY(documents.text_of(line, number)) + "\n\n";
    begin = end + 1;
  }
  return text;
}

}  // namespace

Result<CalibrationData> read_calibration(const std::string& model_path, const CalibrationText& text,
                                         int32_t context) {
  if (text.length > context) {
    return invalid_argument("--calibration-length={}, expected at most {} (the model's context)", text.length,
                            context);
  }
  const auto tokenizer = TRY(text::Tokenizer::load(model_path));
  std::string content =
      text.file.empty() ? std::string(kCalibrationText) : TRY(read_documents(model_path, text.file));
  const size_t wanted = static_cast<size_t>(text.sequences) * static_cast<size_t>(text.length);
  if (content.size() > wanted * kMaxBytesPerToken) {
    // Not within a character.
    content.resize(wanted * kMaxBytesPerToken);
    while (!content.empty() && (static_cast<unsigned char>(content.back()) & 0xC0U) == 0x80U)
      content.pop_back();
    if (!content.empty() && static_cast<unsigned char>(content.back()) >= 0xC0U) content.pop_back();
  }
  CalibrationData data{.ids = TRY(tokenizer.encode(content, false)), .length = text.length};
  const size_t whole =
      std::min(wanted, data.ids.size() / static_cast<size_t>(text.length) * static_cast<size_t>(text.length));
  if (whole == 0) {
    return invalid_argument("{}: {} tokens, expected at least {} to calibrate on",
                            text.file.empty() ? "the calibration text" : text.file, data.ids.size(),
                            text.length);
  }
  data.ids.resize(whole);
  return data;
}

}  // namespace tessera::compress
