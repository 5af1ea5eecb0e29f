// The plan of one `tessera quantize`: which tensors of the source are quantized and how, which are copied,
// and the quantization_config that says so. Made from names, shapes and dtypes alone; everything that can be
// refused is refused here, before a byte is written. Plain data, thread-safe to read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compress/auto/auto_options.h"
#include "compress/calibrate/calibration_text.h"
#include "compress/recipe.h"
#include "compress/rotate/rotated_source.h"
#include "formats/tensor_source.h"

namespace tessera::compress {

enum class Method : uint8_t { kRtn, kGptq };

struct QuantizeOptions {
  std::string model_path;
  std::string output;
  std::string scheme;
  GroupSizeOption group_size;
  int activation_group = 0;                   // of w4a4: columns of a token that share a scale; 0: all
  float activation_clip = 1;                  // of 4-bit activations: their scale is this part of the rule's
  std::optional<Storage> storage;             // absent: each part's default
  std::string format = "compressed-tensors";  // or modelslim
  std::string lm_head = "none";               // or w8a8, w4a8: the output head, per channel
  std::vector<std::string>
      ignore;          // regexes on module names, matched from the start, as in quantization_config
  bool force = false;  // write into a directory that is not empty
  int threads = 0;     // 0: default_thread_count()
  Method method = Method::kRtn;
  quant::Clip clip = quant::Clip::kNone;
  std::optional<RotateOptions> rotate = {};
  std::optional<double> smooth = {};  // SmoothQuant's alpha
  bool awq = false;
  bool int8_cache = false;                    // keys and values are meant to be kept in int8
  CalibrationText calibration = {};           // of gptq, smooth, awq and automatic
  std::optional<AutoOptions> automatic = {};  // scheme "auto"
  std::optional<Mixture> mixture = {};        // what that decided, in place of `scheme`

  bool needs_calibration() const { return method == Method::kGptq || smooth || awq; }
};

struct QuantizedLinear {
  std::string name;                   // dotted path without ".weight"
  const formats::TensorInfo* source;  // NAME.weight; of a tied lm_head, the embedding
  size_t part;                        // into parts
  int64_t out = 0, in = 0;
};

struct PlannedPart {
  quant::WeightScheme weight;
  Storage storage;
  quant::ActivationScheme activation;  // as the format's readers will round
};

struct QuantizePlan {
  std::vector<PlannedPart> parts;
  std::vector<QuantizedLinear> linears;
  std::vector<const formats::TensorInfo*> copies;
  std::optional<DType> float_dtype;  // of copies and scales; absent: as they are
  bool untie = false;                // a tied head is quantized: config.json says tie_word_embeddings=false
  formats::compressed_tensors::QuantizationConfig config;
};

/// What a float tensor of `dtype` is stored as, and what scales of such a weight are.
inline DType stored_dtype(const QuantizePlan& plan, DType dtype) {
  return plan.float_dtype.value_or(dtype);
}

/// Quantizable are the 2-D weights of the decoder layers whose path ends in q/k/v/o_proj or
/// gate/up/down_proj, experts included, and lm_head if asked for; routers, embeddings and norms stay as they
/// are. With `tied_embeddings` (of config.json) the head is the embedding, which is then also copied.
/// kInvalidArgument when nothing is left to quantize, a pattern is no regex or splits q/k/v or gate/up, or a
/// width is not a multiple of the group size (all listed).
Result<QuantizePlan> plan_quantization(const formats::TensorSource& source, bool tied_embeddings,
                                       const QuantizeOptions& options);

/// Those in decoder layers, which are what calibration sees.
std::vector<LinearToRound> linears_of_layers(const QuantizePlan& plan);

}  // namespace tessera::compress
