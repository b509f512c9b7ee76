// The int8 recipe of gemm.h in plain loops over the 16 rows of a panel, for levels without an
// implementation of their own. Included once for each of them.

template <tensor::DType kType>
TULOU_INLINE void int8_block_rows(const GemmArgs& a, const BlockNumbers& numbers, int64_t block,
                                  int64_t m, int64_t rows, float* sums) {
  for (int64_t t = 0; t < rows; ++t) {
    const QuantizedRows x = a.quantized.from(m + t, a.k);
    int32_t half[2][kPanelRows] = {};
    for (int64_t i = 0; i < kBlock; ++i) {
      const int32_t value = x.values[kBlock * block + i];
      for (int64_t r = 0; r < kPanelRows; ++r) half[i / 16][r] += value * numbers.code[i][r];
    }
    float* sum = sums + t * kPanelRows;
    for (int64_t r = 0; r < kPanelRows; r += kLanes) {
      float product[kLanes];
      for (int64_t l = 0; l < kLanes; ++l) {
        product[l] = static_cast<float>(half[0][r + l] * numbers.sub_scale[0][r + l] +
                                        half[1][r + l] * numbers.sub_scale[1][r + l]);
      }
      V total = fma(mul(load(product), load(numbers.block_scale + r)), set1(x.scale[block]),
                    load(sum + r));
      if constexpr (has_min(kType))
        total = fma(load(numbers.min + r), set1(x.scaled_sum[block]), total);
      store(sum + r, total);
    }
  }
}

template <tensor::DType kType>
TULOU_RARE void int8_type(const GemmArgs& a) {
  const size_t bytes = panel_bytes(kType, a.k);
  for (int64_t m = 0; m < a.m; m += kGemmTokens) {
    const int64_t rows = std::min(kGemmTokens, a.m - m);
    for (int64_t i = 0; i < a.count; ++i) {
      const int64_t panel = a.first + i * a.step;
      std::memset(a.scratch, 0, sizeof(float) * static_cast<size_t>(rows * kPanelRows));
      for (int64_t block = 0; block < a.k / kBlock; ++block) {
        BlockNumbers numbers;
        block_numbers<kType>(a.panels + static_cast<size_t>(panel) * bytes, block, numbers);
        int8_block_rows<kType>(a, numbers, block, m, rows, a.scratch);
      }
      put_panel(a, panel, m, rows, a.scratch);
    }
  }
}
