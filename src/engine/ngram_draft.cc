#include "engine/ngram_draft.h"

#include <algorithm>

namespace tessera::engine {

std::vector<int32_t> ngram_draft(std::span<const int32_t> ids, const NgramOptions& options, int32_t limit) {
  const auto count = static_cast<size_t>(std::max(0, std::min(limit, options.draft_tokens)));
  if (count == 0 || ids.size() < 2) return {};
  const auto least = static_cast<size_t>(options.min_match), most = static_cast<size_t>(options.max_match);
  size_t best = 0, follows = 0;
  // `end` tokens may match the end of all; what follows begins there.
  for (size_t end = ids.size() - 1; end > 0 && best < most; --end) {
    if (ids[end - 1] != ids.back()) continue;
    size_t same = 1;
    while (same < most && same < end && ids[end - 1 - same] == ids[ids.size() - 1 - same])
      ++same;
    if (same >= least && same > best) {
      best = same;
      follows = end;
    }
  }
  if (best == 0) return {};
  std::vector<int32_t> draft;
  for (size_t at = follows; draft.size() < count; ++at)
    draft.push_back(at < ids.size() ? ids[at] : draft[at - ids.size()]);
  return draft;
}

}  // namespace tessera::engine
