// Shapes in messages: "[16, 8]".
#pragma once

#include <initializer_list>
#include <string>

#include "tensor/tensor_view.h"

namespace tulou::model {

inline std::string shape_text(const tensor::Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

inline std::string shape_text(std::initializer_list<int64_t> extents) {
  return shape_text(tensor::Shape(extents));
}

}  // namespace tulou::model
