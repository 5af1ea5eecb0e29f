#include "formats/json_limits.h"

#include <optional>
#include <utility>
#include <vector>

namespace tessera::formats {
namespace {

using nlohmann::json;

// Builds the document from SAX events; a callback that returns false stops the parser, with the reason in
// `error_`.
class Builder {
 public:
  Builder(std::string_view name, const JsonLimits& limits) : name_(name), limits_(limits) {}

  bool null() { return add(json(nullptr)) != nullptr; }
  bool boolean(bool value) { return add(json(value)) != nullptr; }
  bool number_integer(int64_t value) { return add(json(value)) != nullptr; }
  bool number_unsigned(uint64_t value) { return add(json(value)) != nullptr; }
  bool number_float(double value, const std::string& /*text*/) { return add(json(value)) != nullptr; }
  bool string(std::string& value) { return add(json(std::move(value))) != nullptr; }
  bool binary(json::binary_t& /*value*/) { return false; }
  bool start_object(size_t /*elements*/) { return open(json::object()); }
  bool start_array(size_t /*elements*/) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    auto [entry, inserted] = open_.back()->get_ref<json::object_t&>().emplace(key, nullptr);
    if (!inserted) {
      error_ = data_corrupt("{}: duplicate key \"{:.100}\"", name_, key);
      return false;
    }
    member_ = &entry->second;
    return true;
  }

  bool parse_error(size_t position, const std::string& /*token*/, const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..."
    const std::string_view text = error.what();
    const size_t end_of_code = text.find("] ");
    error_ = data_corrupt("{}: not valid JSON at byte {}: {:.200}", name_, position,
                          end_of_code == std::string_view::npos ? text : text.substr(end_of_code + 2));
    return false;
  }

  Result<json> take() && {
    if (error_) return *std::move(error_);
    return std::move(root_);
  }

 private:
  json* add(json value) {
    if (++values_ > limits_.max_values) {
      error_ = resource_exhausted("{}: JSON has more than {} values", name_, limits_.max_values);
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<json::array_t&>();
      return &array.emplace_back(std::move(value));
    }
    *member_ = std::move(value);
    return member_;
  }

  bool open(json container) {
    if (open_.size() >= limits_.max_depth) {
      error_ = resource_exhausted("{}: JSON is nested deeper than {} levels", name_, limits_.max_depth);
      return false;
    }
    json* placed = add(std::move(container));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view name_;
  const JsonLimits& limits_;
  json root_;
  std::vector<json*> open_;  // stays valid: only the innermost container grows
  json* member_ = nullptr;   // where the value of the last key goes
  size_t values_ = 0;
  std::optional<Error> error_;
};

template <class Json>
Result<std::string> dump(const Json& value, std::string_view name, int indent) {
  try {
    return value.dump(indent);
  } catch (const nlohmann::json::exception& error) {
    return data_corrupt("{}: cannot be written as JSON: {}", name, error.what());
  }
}

}  // namespace

Result<json> parse_json(std::string_view text, std::string_view name, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return resource_exhausted("{}: JSON of {} bytes, expected at most {}", name, text.size(),
                              limits.max_bytes);
  }
  // The library takes a NUL byte for the end of the document and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return data_corrupt("{}: not valid JSON at byte {}: NUL byte", name, nul);
  }
  try {
    Builder builder(name, limits);
    json::sax_parse(text, &builder);
    return std::move(builder).take();
  } catch (const std::exception& error) {
    return resource_exhausted("{}: JSON cannot be read: {}", name, error.what());
  }
}

Result<std::string> dump_json(const json& value, std::string_view name, int indent) {
  return dump(value, name, indent);
}

Result<std::string> dump_json(const nlohmann::ordered_json& value, std::string_view name, int indent) {
  return dump(value, name, indent);
}

}  // namespace tessera::formats
