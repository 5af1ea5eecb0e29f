#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "bench/kernel_run.h"
#include "bench/peak_meter.h"
#include "bench/shapes.h"
#include "models/loader/dummy_checkpoint.h"
#include "ops/linear.h"

namespace tessera::bench {
namespace {

struct Scheme {
  const char* name;
  OneDnn::Type yardstick;
  bool selected;
};
constexpr Scheme kSchemes[] = {
    {"w8a8", OneDnn::Type::kInt8, true},       {"w4a8", OneDnn::Type::kInt8, true},
    {"w4a4", OneDnn::Type::kInt8, true},       {"w8a8-g128", OneDnn::Type::kInt8, false},
    {"w4a8-g128", OneDnn::Type::kInt8, true},  {"w4a8-g32", OneDnn::Type::kInt8, true},
    {"w4a4-g128", OneDnn::Type::kInt8, false}, {"w4a4-g32", OneDnn::Type::kInt8, false},
    {"bf16", OneDnn::Type::kBf16, true},       {"w4a16-g128", OneDnn::Type::kBf16, true},
    {"w8a16", OneDnn::Type::kBf16, false},
};
struct Layout {
  const char* name;
  ops::WeightLayout layout;
};
constexpr Layout kLayouts[] = {{"nz", ops::WeightLayout::kNz}, {"nd", ops::WeightLayout::kNd}};
constexpr std::array<int64_t, 7> kRows{1, 4, 16, 64, 128, 512, 2048};
constexpr std::array<int64_t, 3> kSelectedRows{1, 16, 512};

/// Weights as a model has them: each run takes the next of kCopiesOfCache times the cache.
class Copies {
 public:
  static Result<std::shared_ptr<Copies>> make(const std::string& scheme, ops::WeightLayout layout, int64_t n,
                                              int64_t k, ThreadPool& pool) {
    const auto parsed = TRY(models::parse_dummy_scheme(scheme));
    const formats::TensorInfo info{.name = "linear.weight",
                                   .dtype = DType::kBF16,
                                   .shape = tessera::Shape{n, k},
                                   .bytes = static_cast<uint64_t>(n * k * 2)};
    const models::DummySource source({info});
    const models::DummyReader reader(source, parsed);
    TRY_STATUS(reader.check("linear", n, k));
    TRY_STATUS(ops::Linear::check(parsed.linears, k));
    auto copies = std::make_shared<Copies>();
    const int64_t wanted = kCopiesOfCache * cache_sizes().l3_bytes;
    for (int64_t bytes = 0; copies->linears_.empty() || bytes < wanted;) {
      auto data = TRY(reader.read("linear", n, k));
      copies->linears_.push_back(TRY(ops::Linear::pack(std::move(data), {.layout = layout}, pool)));
      bytes += copies->linears_.back().packed_bytes();
    }
    return copies;
  }

  const ops::Linear& next() {
    at_ = (at_ + 1) % linears_.size();
    return linears_[at_];
  }
  const ops::Linear& first() const { return linears_.front(); }

 private:
  std::vector<ops::Linear> linears_;
  size_t at_ = 0;
};

/// What users get: quantizer, product and epilogue, over all threads.
class LinearRun final : public KernelRun {
 public:
  LinearRun(std::shared_ptr<Copies> copies, int64_t rows, ThreadPool& pool)
      : copies_(std::move(copies)),
        pool_(pool),
        rows_(rows),
        x_(static_cast<size_t>(rows * copies_->first().in())),
        y_(static_cast<size_t>(rows * copies_->first().out())) {
    for (size_t i = 0; i < x_.size(); ++i)
      x_[i] = std::sin(static_cast<float>(i % 8191));
    const ops::Linear& linear = copies_->first();
    macs = static_cast<double>(rows) * static_cast<double>(linear.in() * linear.out());
    bytes = static_cast<double>(linear.packed_bytes());
    loop = bounding_loop(linear.scheme(), active_isa());
    detail = linear.weights().kernel();
  }

  Status run() override {
    const ops::Linear& linear = copies_->next();
    input_.reset({x_.data(), rows_, linear.in()});
    const std::array<ops::LinearCall, 1> call{{{&linear, {y_.data(), rows_, linear.out()}}}};
    ops::run_linears(input_, call, pool_);
    return {};
  }

 private:
  std::shared_ptr<Copies> copies_;
  ThreadPool& pool_;
  int64_t rows_;
  ops::LinearInput input_;
  std::vector<float> x_, y_;
};

struct Weights {
  std::string scheme;
  ops::WeightLayout layout = ops::WeightLayout::kNz;
  int64_t n = 0, k = 0;
  bool operator==(const Weights&) const = default;
};

/// The copies made last: cases that differ in rows alone follow one another.
struct Shared {
  Weights weights;
  std::shared_ptr<Copies> copies;
};

Result<std::unique_ptr<KernelRun>> make_run(Shared& shared, const Weights& weights, int64_t rows,
                                            ThreadPool& pool) {
  if (!shared.copies || !(shared.weights == weights)) {
    shared.copies.reset();  // before the next ones take memory
    shared.copies = TRY(Copies::make(weights.scheme, weights.layout, weights.n, weights.k, pool));
    shared.weights = weights;
  }
  return std::unique_ptr<KernelRun>(std::make_unique<LinearRun>(shared.copies, rows, pool));
}

void add_cases(const Shape& shape, const Scheme& scheme, const Layout& layout,
               const std::shared_ptr<Shared>& shared, std::vector<KernelCase>& cases) {
  const int64_t n = shape.numbers.at(0), k = shape.numbers.at(1);
  const Weights weights{.scheme = scheme.name, .layout = layout.layout, .n = n, .k = k};
  for (const int64_t m : kRows) {
    KernelCase& one = cases.emplace_back();
    one.kernel = "linear";
    one.name = shape.name;
    one.scheme = scheme.name;
    one.layout = layout.name;
    one.m = m;
    one.n = n;
    one.k = k;
    one.selected = shape.selected && scheme.selected && layout.layout == ops::WeightLayout::kNz &&
                   std::ranges::find(kSelectedRows, m) != kSelectedRows.end();
    one.make = [=](ThreadPool& pool) { return make_run(*shared, weights, m, pool); };
    one.make_onednn = [=, type = scheme.yardstick](OneDnn& library) {
      return library.matmul(type, m, n, k, kCopiesOfCache * cache_sizes().l3_bytes);
    };
  }
}

}  // namespace

std::vector<KernelCase> linear_cases() {
  std::vector<KernelCase> cases;
  const auto shared = std::make_shared<Shared>();
  for (const Shape& shape : shapes_of("gemm_s8")) {
    for (const Scheme& scheme : kSchemes) {
      for (const Layout& layout : kLayouts)
        add_cases(shape, scheme, layout, shared, cases);
    }
  }
  return cases;
}

}  // namespace tessera::bench
