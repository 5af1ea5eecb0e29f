// The kernels between the products, over rows as models split them: what they read and write per second,
// beside what the memory level that holds their operands can read.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "bench/kernel_run.h"
#include "kernels/argmax/argmax.h"
#include "kernels/attention/attention.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gemm_s8/pack_s8.h"
#include "kernels/hadamard/hadamard.h"
#include "kernels/moe_route/moe_route.h"
#include "kernels/quantize_rows/code_range.h"
#include "kernels/quantize_rows/quantize_rows.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/rope/rope.h"
#include "kernels/scatter_add/scatter_add.h"
#include "kernels/silu_mul/silu_mul.h"
#include "kernels/softmax/softmax.h"
#include "ops/parallel_rows.h"

namespace tessera::bench {
namespace {

constexpr int64_t kHeadDim = 128;
constexpr int32_t kExpertsPerRow = 8;

/// Room for what any of the kernels reads and writes: three matrices [rows, cols], and numbers per row.
/// Kernels that work in place do so again and again: y and z are the cosine and the sine of one angle, so
/// that turned heads keep their length.
struct Operands {
  Operands(int64_t rows_in, int64_t cols_in)
      : rows(rows_in),
        cols(cols_in),
        x(size()),
        y(size(), 0.6F),
        z(size(), 0.8F),
        per_column(static_cast<size_t>(cols_in), 1.0F),
        per_row(static_cast<size_t>(rows_in * kExpertsPerRow), 0.5F),
        indices(static_cast<size_t>(rows_in * kExpertsPerRow)),
        signs(size_t{kernels::kMaxHadamardBase} * kernels::kMaxHadamardBase) {
    for (size_t i = 0; i < size(); ++i)
      x[i] = std::sin(static_cast<float>(i % 8191));
    std::iota(indices.begin(), indices.begin() + rows, 0);
    if (const int64_t base = kernels::hadamard_base(cols); base > 1)
      kernels::hadamard_signs(base, signs.data());
  }
  size_t size() const { return static_cast<size_t>(rows * cols); }

  int64_t rows, cols;
  std::vector<float> x, y, z, per_column, per_row;
  std::vector<int32_t> indices;
  std::vector<float> signs;
};

void run_rmsnorm(Operands& o, int64_t begin, int64_t end) {
  kernels::rmsnorm({.x = o.x.data() + begin * o.cols,
                    .x_stride = o.cols,
                    .w = o.per_column.data(),
                    .eps = 1e-6F,
                    .y = o.y.data() + begin * o.cols,
                    .y_stride = o.cols,
                    .rows = end - begin,
                    .cols = o.cols});
}

void run_add_rmsnorm(Operands& o, int64_t begin, int64_t end) {
  kernels::add_rmsnorm({.h = o.x.data() + begin * o.cols,
                        .h_stride = o.cols,
                        .delta = o.y.data() + begin * o.cols,
                        .delta_stride = o.cols,
                        .w = o.per_column.data(),
                        .eps = 1e-6F,
                        .y = o.z.data() + begin * o.cols,
                        .y_stride = o.cols,
                        .rows = end - begin,
                        .cols = o.cols});
}

void run_silu_mul(Operands& o, int64_t begin, int64_t end) {
  kernels::silu_mul({.gate = o.x.data() + begin * o.cols,
                     .gate_stride = o.cols,
                     .up = o.y.data() + begin * o.cols,
                     .up_stride = o.cols,
                     .y = o.z.data() + begin * o.cols,
                     .y_stride = o.cols,
                     .rows = end - begin,
                     .cols = o.cols});
}

/// z holds the codes and, behind them, the sums; per_row the scales.
void run_quantize_rows(Operands& o, int64_t begin, int64_t end) {
  const int64_t stride = kernels::padded_k(o.cols), sums_stride = stride / kernels::kSumBlock;
  auto* codes = reinterpret_cast<int8_t*>(o.z.data());
  auto* sums = reinterpret_cast<int32_t*>(codes + o.rows * stride);
  kernels::quantize_rows({.x = o.x.data() + begin * o.cols,
                          .x_stride = o.cols,
                          .rows = end - begin,
                          .k = o.cols,
                          .range = {},
                          .codes = codes + begin * stride,
                          .codes_stride = stride,
                          .scales = o.per_row.data() + begin,
                          .block_sums = sums + begin * sums_stride,
                          .sums_stride = sums_stride});
}

void run_rope(Operands& o, int64_t begin, int64_t end) {
  kernels::rope({.x = o.x.data() + begin * o.cols,
                 .row_stride = o.cols,
                 .head_stride = kHeadDim,
                 .rows = end - begin,
                 .heads = o.cols / kHeadDim,
                 .rotary_dim = kHeadDim,
                 .cos = o.y.data(),
                 .sin = o.z.data(),
                 .positions = o.indices.data() + begin});
}

void run_hadamard(Operands& o, int64_t begin, int64_t end) {
  kernels::hadamard({.x = o.x.data() + begin * o.cols,
                     .x_stride = o.cols,
                     .rows = end - begin,
                     .k = o.cols,
                     .block = o.cols,
                     .base = kernels::hadamard_base(o.cols),
                     .signs = o.signs.data()});
}

void run_embedding(Operands& o, int64_t begin, int64_t end) {
  kernels::embedding_f32(o.x.data(), o.cols, o.indices.data() + begin, end - begin,
                         o.y.data() + begin * o.cols, o.cols);
}

void run_scatter_add(Operands& o, int64_t begin, int64_t end) {
  kernels::scatter_add({.x = o.x.data() + begin * o.cols,
                        .x_stride = o.cols,
                        .rows = o.indices.data() + begin,
                        .weights = o.per_row.data() + begin,
                        .count = end - begin,
                        .cols = o.cols,
                        .y = o.y.data(),
                        .y_stride = o.cols});
}

void run_moe_route(Operands& o, int64_t begin, int64_t end) {
  kernels::moe_route({.shares = o.x.data() + begin * o.cols,
                      .shares_stride = o.cols,
                      .rows = end - begin,
                      .experts = static_cast<int32_t>(o.cols),
                      .chosen_per_row = kExpertsPerRow,
                      .normalize = true,
                      .chosen = o.indices.data() + begin * kExpertsPerRow,
                      .weights = o.per_row.data() + begin * kExpertsPerRow});
}

void run_argmax(Operands& o, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row)
    o.indices[static_cast<size_t>(row)] =
        static_cast<int32_t>(kernels::argmax(o.x.data() + row * o.cols, o.cols));
}

void run_softmax(Operands& o, int64_t begin, int64_t end) {
  const int64_t blocks = (o.cols + kernels::kSoftmaxBlock - 1) / kernels::kSoftmaxBlock;
  for (int64_t row = begin; row < end; ++row) {
    float* scratch = o.z.data() + row * o.cols;
    kernels::softmax_weights({.x = o.x.data() + row * o.cols,
                              .n = o.cols,
                              .max = 1,
                              .weights = o.y.data() + row * o.cols,
                              .block_sums = reinterpret_cast<double*>(scratch),
                              .block_maxes = scratch + 2 * blocks});
  }
}

struct RowKernel {
  const char* name;
  void (*run)(Operands& operands, int64_t begin, int64_t end);
  const char* (*variant)();
  double bytes;  // per element, read and written
  std::vector<int64_t> widths, rows;
};

const std::vector<RowKernel>& row_kernels() {
  // Hidden sizes of Qwen3-0.6B and 8B, their MLPs, q of 0.6B, a vocabulary.
  static const std::vector<RowKernel> kernels{
      {"rmsnorm", run_rmsnorm, kernels::rmsnorm_variant, 8, {1024, 4096}, {1, 16, 512}},
      {"add_rmsnorm", run_add_rmsnorm, kernels::rmsnorm_variant, 16, {1024, 4096}, {1, 16, 512}},
      {"silu_mul", run_silu_mul, kernels::silu_mul_variant, 12, {3072, 12288}, {1, 16, 512}},
      {"quantize_rows",
       run_quantize_rows,
       kernels::quantize_rows_variant,
       5,
       {1024, 3072, 12288},
       {1, 16, 512}},
      {"rope", run_rope, kernels::rope_variant, 8, {2048}, {1, 16, 512}},
      {"hadamard", run_hadamard, kernels::hadamard_variant, 8, {128, 3072, 12288}, {1, 16, 512}},
      {"embedding", run_embedding, kernels::embedding_variant, 8, {1024}, {1, 16, 512}},
      {"scatter_add", run_scatter_add, kernels::scatter_add_variant, 12, {2048}, {1, 16, 512}},
      {"moe_route", run_moe_route, kernels::moe_route_variant, 8, {128}, {1, 16, 512}},
      {"argmax", run_argmax, kernels::argmax_variant, 4, {151936}, {1, 16}},
      {"softmax", run_softmax, kernels::softmax_variant, 8, {151936}, {1, 16}},
  };
  return kernels;
}

class RowRun final : public KernelRun {
 public:
  RowRun(const RowKernel& kernel, int64_t rows, int64_t cols, ThreadPool& pool)
      : kernel_(kernel), pool_(pool), operands_(rows, cols) {
    bytes = kernel.bytes * static_cast<double>(rows * cols);
    from_caches = true;
    detail = std::string(kernel.name) + "/" + kernel.variant();
  }

  Status run() override {
    ops::parallel_rows(pool_, operands_.rows, operands_.cols,
                       [this](int64_t begin, int64_t end) { kernel_.run(operands_, begin, end); });
    return {};
  }

 private:
  const RowKernel& kernel_;
  ThreadPool& pool_;
  Operands operands_;
};

}  // namespace

std::vector<KernelCase> row_cases() {
  std::vector<KernelCase> cases;
  for (const RowKernel& kernel : row_kernels()) {
    for (const int64_t width : kernel.widths) {
      for (const int64_t rows : kernel.rows) {
        KernelCase& one = cases.emplace_back();
        one.kernel = kernel.name;
        one.name = std::to_string(width);
        one.scheme = "f32";
        one.layout = "rows";
        one.m = rows;
        one.n = one.k = width;
        one.make = [&kernel, rows, width](ThreadPool& pool) -> Result<std::unique_ptr<KernelRun>> {
          return std::unique_ptr<KernelRun>(std::make_unique<RowRun>(kernel, rows, width, pool));
        };
      }
    }
  }
  return cases;
}

}  // namespace tessera::bench
