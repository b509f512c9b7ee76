// A golden case: checkpoint, expected values and tolerances, read from tests/golden/cases.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "kernels/quant/dequantize.h"
#include "model/model.h"

namespace tulou::golden {

// The named tensors of expected.safetensors as floats.
class Expected {
 public:
  explicit Expected(const std::string& path)
      : file_(base::MappedFile::open(path)),
        tensors_(checkpoint::parse_safetensors(file_->data(), path)) {}

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : tensors_) all.push_back(entry.name);
    return all;
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  const tensor::Shape& shape(const std::string& name) const { return find(name)->view.shape; }
  std::vector<float> values(const std::string& name) const {
    const auto* entry = find(name);
    EXPECT_NE(entry, nullptr) << name;
    const tensor::TensorView& view = entry->view;
    std::vector<float> out(static_cast<size_t>(view.shape.values()));
    const int64_t width = view.shape.width();
    for (int64_t r = 0; r < view.shape.rows(); ++r)
      kernels::dequantize_row(view.dtype, view.row(r), out.data() + r * width, width);
    return out;
  }
  // A tensor of I32, which the program itself does not compute with.
  std::vector<int32_t> integers(const std::string& name) const {
    const auto* entry = find(name);
    EXPECT_EQ(entry->stored_dtype, "I32") << name;
    std::vector<int32_t> out(entry->bytes / sizeof(int32_t));
    std::memcpy(out.data(), file_->data().data() + entry->offset, entry->bytes);
    return out;
  }

 private:
  const checkpoint::TensorEntry* find(const std::string& name) const {
    for (const auto& entry : tensors_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }
  std::shared_ptr<const base::MappedFile> file_;
  std::vector<checkpoint::TensorEntry> tensors_;
};

struct Case {
  explicit Case(const std::string& name)
      : folder("tests/golden/cases/" + name),
        about(base::read_json_file(folder + "/expected.json")),
        expected(folder + "/expected.safetensors") {
    base::NoProgress progress;
    model = model::Model::load(*checkpoint::Checkpoint::open(folder + "/model"), progress);
  }
  std::vector<int32_t> ids() const { return about["prompt"]["ids"].get<std::vector<int32_t>>(); }
  double max_tolerance() const { return about["tolerance"]["fp32_max_abs"].get<double>(); }
  double median_tolerance() const {
    return about["tolerance"]["fp32_median_row_max_abs"].get<double>();
  }

  std::string folder;
  base::Json about;
  Expected expected;
  std::unique_ptr<const model::Model> model;
};

// The largest difference of each row of `width` values.
inline std::vector<double> row_errors(std::span<const float> actual,
                                      std::span<const float> expected, size_t width) {
  std::vector<double> errors;
  for (size_t r = 0; r + width <= expected.size(); r += width) {
    double largest = 0;
    for (size_t i = r; i < r + width; ++i) {
      const double difference =
          std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
      largest = std::max(largest, std::isnan(difference) ? 1e30 : difference);
    }
    errors.push_back(largest);
  }
  return errors;
}

// Expects the largest row error and the median one within the case's tolerances. `actual` may have
// more rows than expected: a causal model gives the same first ones.
inline void expect_close(const Case& golden, const std::string& name, std::span<const float> actual,
                         std::span<const float> expected, size_t width) {
  ASSERT_GE(actual.size(), expected.size()) << name;
  std::vector<double> errors = row_errors(actual, expected, width);
  std::sort(errors.begin(), errors.end());
  EXPECT_LE(errors.back(), golden.max_tolerance()) << name;
  EXPECT_LE(errors[errors.size() / 2], golden.median_tolerance()) << name;
}

}  // namespace tulou::golden
