#include "eval/kl.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "base/progress.h"
#include "eval/perplexity.h"
#include "eval/windows.h"
#include "kernels/argmax/argmax.h"

namespace tessera::eval {
namespace {

TokenDivergence compare_rows(size_t position, const MatrixView<float>& reference,
                             const MatrixView<float>& logits, int64_t row) {
  const auto vocab = static_cast<size_t>(logits.cols);
  const std::span expected(reference.row(row), vocab), found(logits.row(row), vocab);
  return {.position = position,
          .kl = kl_divergence(expected, found),
          .same_top =
              kernels::argmax(expected.data(), logits.cols) == kernels::argmax(found.data(), logits.cols)};
}

void summarize(Divergence& divergence) {
  std::vector<double> sorted;
  double total = 0, same = 0;
  for (const TokenDivergence& token : divergence.tokens) {
    total += token.kl;
    same += token.same_top ? 1 : 0;
    sorted.push_back(token.kl);
  }
  const size_t count = sorted.size(), rank = count - count / 100 - 1;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<ptrdiff_t>(rank));
  divergence.mean_kl = total / static_cast<double>(count);
  divergence.p99_kl = sorted[rank];
  divergence.top1_agreement = same / static_cast<double>(count);
}

}  // namespace

double kl_divergence(std::span<const float> reference, std::span<const float> logits) {
  CHECK(reference.size() == logits.size(), "{} and {} logits", reference.size(), logits.size());
  const double reference_norm = log_sum_exp(reference), norm = log_sum_exp(logits);
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_norm;
    sum += std::exp(log_p) * (log_p - (static_cast<double>(logits[i]) - norm));
  }
  return std::max(sum, 0.0);  // rounding alone makes it negative
}

Result<Divergence> measure_kl(models::Model& model, models::Model& reference, std::span<const int32_t> ids,
                              int32_t context, int32_t stride) {
  if (model.config().vocab != reference.config().vocab) {
    return invalid_argument("the model's vocabulary has {} entries, expected the reference's {}",
                            model.config().vocab, reference.config().vocab);
  }
  TRY_STATUS(plan_parts(reference.config(), ids, context, stride).context("reference"));
  const std::vector<Part> parts = TRY(plan_parts(model.config(), ids, context, stride));
  const auto begin = std::chrono::steady_clock::now();
  WindowReader reader = TRY(WindowReader::create(model, context));
  WindowReader reference_reader = TRY(WindowReader::create(reference, context));
  Progress progress("divergence", parts.size());
  Divergence divergence;
  for (const Part& part : parts) {
    const MatrixView<float> expected = TRY(reference_reader.forward(ids, part));
    const MatrixView<float> found = TRY(reader.forward(ids, part));
    const size_t first = divergence.tokens.size();
    divergence.tokens.resize(first + static_cast<size_t>(found.rows));
    model.workers().parallel_for(static_cast<size_t>(found.rows), [&](size_t row) {
      const size_t position = part.window + part.start + row + 1;
      divergence.tokens[first + row] = compare_rows(position, expected, found, static_cast<int64_t>(row));
    });
    progress.advance(1);
  }
  summarize(divergence);
  divergence.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return divergence;
}

std::string per_token_table(const Divergence& divergence, std::span<const int32_t> ids) {
  std::string table = "position\ttoken\tkl\tsame_top\n";
  for (const TokenDivergence& token : divergence.tokens) {
    fmt::format_to(std::back_inserter(table), "{}\t{}\t{:.6g}\t{}\n", token.position, ids[token.position],
                   token.kl, token.same_top ? 1 : 0);
  }
  return table;
}

}  // namespace tessera::eval
