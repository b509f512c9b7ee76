// Tests of shapes and sizes.
#include <gtest/gtest.h>

#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace tulou::tensor {
namespace {

TEST(DType, RowBytes) {
  EXPECT_EQ(row_bytes(DType::kF32, 5), 20u);
  EXPECT_EQ(row_bytes(DType::kQ4_1, 576), 18u * 20);
  EXPECT_EQ(row_bytes(DType::kQ6_K, 512), 420u);
  EXPECT_EQ(name(DType::kIQ4_XS), "IQ4_XS");
}

TEST(TensorView, SlicesRows) {
  std::array<float, 12> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const TensorView view{reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {2, 2, 3}};
  EXPECT_EQ(view.shape.rows(), 4);
  EXPECT_EQ(view.bytes(), 48u);
  EXPECT_EQ(*reinterpret_cast<const float*>(view.slice(1, 2).row(1)), 6.0f);
}

}  // namespace
}  // namespace tulou::tensor
