#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <utility>

#include "tensor/matrix.h"

namespace tessera {
namespace {

TEST(Tensor, IsZeroedAlignedAndTyped) {
  Tensor tensor(DType::kF32, {3, 5});
  EXPECT_EQ(tensor.bytes(), 60U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0U);
  const auto values = tensor.as<float>();
  ASSERT_EQ(values.size(), 15U);
  for (const float value : values)
    EXPECT_EQ(value, 0.0F);
  values[14] = 2.5F;
  const TensorView view = tensor.view();
  EXPECT_EQ(view.bytes(), 60U);
  EXPECT_EQ(view.as<float>()[14], 2.5F);
}

TEST(Tensor, MovesKeepTheElements) {
  Tensor first(DType::kI8, {4});
  first.as<int8_t>()[3] = -8;
  const Tensor second = std::move(first);
  EXPECT_EQ(second.as<int8_t>()[3], -8);
}

TEST(Tensor, SizesOfAFileThatLieAreErrors) {
  EXPECT_EQ(Tensor::allocate(DType::kF64, {int64_t{1} << 62}).error().code(), ErrorCode::kDataCorrupt);
  EXPECT_EQ(Tensor::allocate(DType::kI8, {int64_t{1} << 40, int64_t{1} << 40}).error().code(),
            ErrorCode::kDataCorrupt);
  EXPECT_EQ(Tensor::allocate(DType::kI8, {int64_t{1} << 62}).error().code(), ErrorCode::kResourceExhausted);
}

TEST(TensorDeathTest, ReadingWithTheWrongElementSizeIsOurBug) {
  const Tensor tensor(DType::kBF16, {4});
  EXPECT_DEATH((void)tensor.as<float>(), "element of BF16 read as 4 bytes");
}

TEST(MatrixView, RowsAndColumnsKeepTheStride) {
  float data[12];
  for (int index = 0; index < 12; ++index)
    data[index] = static_cast<float>(index);
  const MatrixView<float> matrix(data, 3, 4);
  EXPECT_EQ(matrix.row(2)[1], 9.0F);
  const auto columns = matrix.col_range(1, 2);
  EXPECT_EQ(columns.cols, 2);
  EXPECT_EQ(columns.row(1)[0], 5.0F);
  const MatrixView<const float> rows = matrix.row_range(1, 2);
  EXPECT_EQ(rows.rows, 2);
  EXPECT_EQ(rows.row(0)[0], 4.0F);
  EXPECT_EQ(rows.col_range(3, 1).row(1)[0], 11.0F);
}

}  // namespace
}  // namespace tessera
