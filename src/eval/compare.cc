#include "eval/compare.h"

#include <memory>
#include <utility>

#include "eval/engine_completer.h"
#include "eval/kl.h"
#include "eval/perplexity.h"

namespace tessera::eval {
namespace {

using models::Model;

Status measure_answers(const CompareOptions& options, const models::LoadOptions& load, ComparedRow& row) {
  if (!options.gsm8k) return {};
  engine::OpenOptions open;
  open.load = load;
  auto opened = TRY(engine::open_model(open));
  const auto completer = TRY(EngineCompleter::start(std::move(opened), options.gsm8k->parallel));
  const Gsm8kResult result = TRY(run_gsm8k(*options.gsm8k, *completer));
  row.accuracy = result.accuracy;
  row.invalid = result.invalid;
  return {};
}

/// `reference` is null for the reference itself.
Result<ComparedRow> measure(const CompareOptions& options, const ComparedModel& compared, Model& model,
                            Model* reference, std::span<const int32_t> ids) {
  ComparedRow row{.name = compared.name,
                  .scheme = model.report().scheme,
                  .layout = compared.load.weight_layout.empty() ? "nz" : compared.load.weight_layout,
                  .bytes = model.report().packed_bytes,
                  .perplexity = 0,
                  .mean_kl = {},
                  .p99_kl = {},
                  .top1_agreement = {},
                  .accuracy = {},
                  .invalid = {},
                  .speed = {}};
  const auto perplexity = TRY(measure_perplexity(model, ids, options.context, options.stride));
  row.perplexity = perplexity.perplexity;
  if (reference != nullptr) {
    const Divergence divergence = TRY(measure_kl(model, *reference, ids, options.context, options.stride));
    row.mean_kl = divergence.mean_kl;
    row.p99_kl = divergence.p99_kl;
    row.top1_agreement = divergence.top1_agreement;
  }
  row.speed = TRY(measure_speed(model, ids, options.speed));
  return row;
}

}  // namespace

Result<std::vector<ComparedRow>> compare_models(const CompareOptions& options, std::span<const int32_t> ids) {
  std::vector<ComparedRow> rows;
  std::unique_ptr<Model> reference;
  for (const ComparedModel& compared : options.models) {
    auto model = TRY(Model::load(compared.load).context(compared.name));
    rows.push_back(TRY(measure(options, compared, *model, reference.get(), ids).context(compared.name)));
    if (!reference) reference = std::move(model);
    model.reset();
    TRY_STATUS(measure_answers(options, compared.load, rows.back()).context(compared.name));
  }
  return rows;
}

}  // namespace tessera::eval
