#include "formats/packed/packed_transform.h"

#include <cstring>
#include <utility>

namespace tessera::formats {
namespace {

constexpr const char* kFactors = "factors";
constexpr const char* kOrder = "order";
constexpr const char* kKronecker = "kronecker";
constexpr const char* kHadamard = "hadamard";
constexpr const char* kMatrix = "matrix";

template <class T>
PackedArray bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

PackedStep pack(const quant::ColumnFactors& step) {
  return {.kind = kFactors, .arrays = {bytes_of(step.factors)}};
}
PackedStep pack(const quant::ColumnOrder& step) {
  return {.kind = kOrder, .arrays = {bytes_of(step.from)}};
}
PackedStep pack(const quant::KroneckerPair& step) {
  return {.kind = kKronecker,
          .rows = step.rows,
          .columns = step.columns,
          .arrays = {bytes_of(step.left), bytes_of(step.right)}};
}
PackedStep pack(const quant::BlockHadamard& step) {
  return {.kind = kHadamard,
          .rows = step.base,
          .columns = step.size,
          .transposed = step.transposed,
          .arrays = {bytes_of(step.signs)}};
}
PackedStep pack(const quant::BlockMatrix& step) {
  return {.kind = kMatrix, .rows = step.matrix->size, .arrays = {bytes_of(step.matrix->values)}};
}

template <class T>
Result<std::vector<T>> values_of(const PackedStep& step, size_t index) {
  if (index >= step.arrays.size() || step.arrays[index].size() % sizeof(T) != 0)
    return data_corrupt("a transform {} whose numbers are not there", step.kind);
  const PackedArray& bytes = step.arrays[index];
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

std::vector<PackedStep> pack_steps(const quant::InputTransform& steps) {
  std::vector<PackedStep> packed;
  for (const quant::TransformStep& step : steps)
    packed.push_back(std::visit([](const auto& known) { return pack(known); }, step));
  return packed;
}

Result<quant::TransformStep> StepReader::read(const PackedStep& step) {
  if (step.kind == kFactors) return quant::ColumnFactors{TRY(values_of<float>(step, 0))};
  if (step.kind == kOrder) return quant::ColumnOrder{TRY(values_of<int32_t>(step, 0))};
  if (step.kind == kKronecker) {
    quant::KroneckerPair pair{.rows = step.rows, .columns = step.columns, .left = {}, .right = {}};
    pair.left = TRY(values_of<float>(step, 0));
    pair.right = TRY(values_of<float>(step, 1));
    return pair;
  }
  if (step.kind == kHadamard) {
    quant::BlockHadamard hadamard{
        .size = step.columns, .base = step.rows, .signs = {}, .transposed = step.transposed};
    hadamard.signs = TRY(values_of<float>(step, 0));
    return hadamard;
  }
  if (step.kind != kMatrix)
    return unsupported("a transform \"{:.40}\", which this version does not know", step.kind);
  auto values = TRY(values_of<float>(step, 0));
  auto& matrix = matrices_[step.arrays[0].data()];
  if (matrix == nullptr)
    matrix = std::make_shared<const quant::SquareMatrix>(quant::SquareMatrix{step.rows, std::move(values)});
  return quant::BlockMatrix{matrix};
}

Result<quant::InputTransform> StepReader::read(std::span<const PackedStep> steps) {
  quant::InputTransform transform;
  for (const PackedStep& step : steps)
    transform.push_back(TRY(read(step)));
  return transform;
}

}  // namespace tessera::formats
