#include <cmath>
#include <string_view>
#include <utility>

#include "bench/kernel_run.h"
#include "bench/peak_meter.h"
#include "models/blocks/moe_block.h"
#include "models/loader/dummy_checkpoint.h"

namespace tessera::bench {
namespace {

// A layer of Qwen3-30B-A3B.
constexpr int64_t kHidden = 2048, kIntermediate = 768;
constexpr int32_t kExperts = 128, kChosen = 8;
constexpr int64_t kRows[] = {1, 16, 512};
constexpr std::string_view kSelectedScheme = "w4a8";
// As many different inputs take turns, so that each visits experts of its own.
constexpr int64_t kInputs = 16;

struct Layer {
  models::MoeWeights weights;
  int64_t router_bytes = 0, expert_bytes = 0;
};

Result<ops::Linear> make_linear(const models::DummyReader& reader, const std::string& name, int64_t out,
                                int64_t in, ops::WeightLayout layout, ThreadPool& pool) {
  auto data = TRY(reader.read(name, out, in));
  return ops::Linear::pack(std::move(data), {.layout = layout}, pool);
}

Result<std::shared_ptr<Layer>> make_layer(const std::string& scheme, ops::WeightLayout layout,
                                          ThreadPool& pool) {
  std::vector<formats::TensorInfo> tensors;
  const auto add = [&](std::string name, int64_t out, int64_t in) {
    tensors.push_back({.name = std::move(name) + ".weight",
                       .dtype = DType::kBF16,
                       .shape = Shape{out, in},
                       .bytes = static_cast<uint64_t>(out * in * 2)});
  };
  add("mlp.gate", kExperts, kHidden);
  for (int32_t expert = 0; expert < kExperts; ++expert) {
    const std::string prefix = fmt::format("mlp.experts.{}.", expert);
    add(prefix + "gate_proj", kIntermediate, kHidden);
    add(prefix + "up_proj", kIntermediate, kHidden);
    add(prefix + "down_proj", kHidden, kIntermediate);
  }
  const models::DummySource source(std::move(tensors));
  const models::DummyReader reader(source, TRY(models::parse_dummy_scheme(scheme)));
  auto layer = std::make_shared<Layer>();
  layer->weights.router = TRY(make_linear(reader, "mlp.gate", kExperts, kHidden, layout, pool));
  layer->weights.experts.resize(kExperts);
  for (int32_t expert = 0; expert < kExperts; ++expert) {
    const std::string prefix = fmt::format("mlp.experts.{}.", expert);
    models::MlpWeights& mlp = layer->weights.experts[static_cast<size_t>(expert)];
    mlp.gate = TRY(make_linear(reader, prefix + "gate_proj", kIntermediate, kHidden, layout, pool));
    mlp.up = TRY(make_linear(reader, prefix + "up_proj", kIntermediate, kHidden, layout, pool));
    mlp.down = TRY(make_linear(reader, prefix + "down_proj", kHidden, kIntermediate, layout, pool));
    layer->expert_bytes = mlp.gate.packed_bytes() + mlp.up.packed_bytes() + mlp.down.packed_bytes();
  }
  layer->router_bytes = layer->weights.router.packed_bytes();
  return layer;
}

/// The whole block: router, routing, experts, weighted sum.
class MoeRun final : public KernelRun {
 public:
  MoeRun(std::shared_ptr<Layer> layer, int64_t rows, ThreadPool& pool)
      : layer_(std::move(layer)),
        pool_(pool),
        rows_(rows),
        x_(static_cast<size_t>(kInputs * rows * kHidden)),
        out_(static_cast<size_t>(rows * kHidden)) {
    moe_.experts = kExperts;
    moe_.experts_per_token = kChosen;
    moe_.intermediate = static_cast<int32_t>(kIntermediate);
    moe_.normalize_weights = true;
    uint32_t random = 1;
    for (float& x : x_) {  // white noise: what a norm leaves, as far as routers are concerned
      random = random * 1664525 + 1013904223;
      x = static_cast<float>(random >> 8) * (3.46F / (1 << 24)) - 1.73F;
    }
    const double chosen = kChosen, experts = kExperts;
    macs = static_cast<double>(rows * kHidden) * (experts + 3 * chosen * static_cast<double>(kIntermediate));
    const double hit = experts * (1 - std::pow(1 - chosen / experts, static_cast<double>(rows)));
    bytes = static_cast<double>(layer_->router_bytes) + hit * static_cast<double>(layer_->expert_bytes);
    const auto& up = layer_->weights.experts.front().up;
    loop = bounding_loop(up.scheme(), active_isa());
    detail = up.weights().kernel();
  }

  Status run() override {
    next_ = (next_ + 1) % kInputs;
    block_.forward(moe_, layer_->weights, {x_.data() + next_ * rows_ * kHidden, rows_, kHidden},
                   {out_.data(), rows_, kHidden}, pool_);
    return {};
  }

 private:
  std::shared_ptr<Layer> layer_;
  ThreadPool& pool_;
  int64_t rows_, next_ = 0;
  models::MoeConfig moe_;
  models::MoeBlock block_;
  std::vector<float> x_, out_;
};

struct Shared {
  std::string key;
  std::shared_ptr<Layer> layer;
};

struct Layout {
  const char* name;
  ops::WeightLayout layout;
};
constexpr Layout kLayouts[] = {{"nz", ops::WeightLayout::kNz}, {"nd", ops::WeightLayout::kNd}};

}  // namespace

std::vector<KernelCase> moe_cases() {
  std::vector<KernelCase> cases;
  const auto shared = std::make_shared<Shared>();
  for (const char* scheme : {"w8a8", "w4a8", "w4a4", "bf16"}) {
    for (const Layout& layout : kLayouts) {
      for (const int64_t rows : kRows) {
        KernelCase& one = cases.emplace_back();
        one.kernel = "moe";
        one.name = "qwen3-30b-a3b";
        one.scheme = scheme;
        one.layout = layout.name;
        one.m = rows;
        one.n = kIntermediate;
        one.k = kHidden;
        one.selected = layout.layout == ops::WeightLayout::kNz && scheme == kSelectedScheme;
        one.make = [=](ThreadPool& pool) -> Result<std::unique_ptr<KernelRun>> {
          const std::string key = fmt::format("{}/{}", scheme, layout.name);
          if (shared->key != key) {
            shared->layer.reset();  // before the next one takes memory
            shared->layer = TRY(make_layer(scheme, layout.layout, pool));
            shared->key = key;
          }
          return std::unique_ptr<KernelRun>(std::make_unique<MoeRun>(shared->layer, rows, pool));
        };
      }
    }
  }
  return cases;
}

}  // namespace tessera::bench
