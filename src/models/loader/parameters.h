// Parameters: every weight that a model wants, where it is to go, and what shape it must have. Declared once;
// load() checks all of them against the checkpoint, reports every misfit and every left-over tensor in one
// error, and only then reads: one tensor at a time, packed into its final place.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/packed/packed_transform.h"
#include "formats/tensor_source.h"
#include "formats/weight_format.h"
#include "models/attention_extras.h"
#include "models/load_report.h"
#include "models/loader/staged_loads.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "quant/recipe.h"

namespace tessera::models {

class Parameters {
 public:
  enum class Bias : bool { kNone, kPresent };

  /// Targets outlive load(). Names are module paths without ".weight".
  void linear(ops::Linear& into, std::string name, int64_t out, int64_t in, Bias bias = Bias::kNone);
  void embedding(ops::Embedding& into, std::string name, int64_t vocab, int64_t hidden);
  /// The embedding's weights as the output head.
  void tied_head(ops::Linear& into, std::string embedding_name, int64_t vocab, int64_t hidden);
  /// Read from NAME.weight, and NAME.bias into `bias` where the checkpoint has one (and nullptr if it may
  /// not).
  void vector(std::vector<float>& into, std::string name, int64_t size, std::vector<float>* bias = nullptr);
  /// What the format says of the attention module `name`. Read first of all.
  void attention(AttentionExtras& into, std::string name, const formats::AttentionHeads& heads);
  /// A tensor that may be there and is not read, by its full name.
  void ignore(std::string tensor);

  struct NamedLinear {
    std::string name;
    ops::Linear* into;
  };
  std::vector<NamedLinear> named_linears() const;

  /// Every linear that the checkpoint's format stores; a tied head is none.
  std::vector<quant::PartLinear> linears() const;

  /// The tensors of a float checkpoint with these parameters: norms F32, the rest BF16.
  std::vector<formats::TensorInfo> float_tensors() const;

  /// What the checkpoint and these parameters have against each other, one line each; empty when nothing.
  std::vector<std::string> misfits(const formats::TensorSource& source,
                                   const formats::WeightReader& reader) const;

  /// What load() will take in memory, from dtypes, shapes and a few bytes. Exact but for what only the data
  /// tell: biases that are folded into other tensors, and matrices of transforms. What misfits counts
  /// nothing.
  int64_t planned_bytes(const formats::TensorSource& source, const formats::WeightReader& reader,
                        const ops::PackOptions& options) const;

  /// Everything is read, unless there are misfits: then none is, and the error lists them. Adds to `report`:
  /// schemes of linears and packed bytes.
  Status load(const formats::TensorSource& source, const formats::WeightReader& reader,
              const ops::PackOptions& options, ThreadPool& pool, LoadReport& report);

  /// After load(): everything that was loaded, for a packed file. Points into the targets.
  std::vector<formats::PackedEntry> stored() const;

  /// As load(), out of a packed file that was made with these options; weights stay in its memory, which
  /// outlives the targets. kNotFound, kDataCorrupt naming the parameter.
  Status restore(const formats::PackedContents& contents, const ops::PackOptions& options,
                 LoadReport& report);

 private:
  struct Parameter {
    std::variant<ops::Linear*, ops::Embedding*, std::vector<float>*> into;
    std::string name;
    int64_t out = 0, in = 0;
    Bias bias = Bias::kNone;
    formats::ModuleKind kind = formats::ModuleKind::kLinear;
    std::vector<float>* optional_bias = nullptr;  // of a vector
  };
  Status check_one(const Parameter& parameter, const formats::TensorSource& source,
                   const formats::WeightReader& reader) const;
  Status load_one(const Parameter& parameter, const formats::TensorSource& source,
                  const formats::WeightReader& reader, const ops::PackOptions& options, ThreadPool& pool);
  static Status restore_one(const Parameter& parameter, const formats::PackedEntry& entry,
                            const ops::PackOptions& options, formats::StepReader& steps);
  /// What loading it will read and hold.
  static LoadTask task_of(const Parameter& parameter, const formats::TensorSource& source,
                          const formats::WeightReader& reader);
  static void account(const Parameter& parameter, LoadReport& report);
  Status trace_dispatch(const ops::PackOptions& options) const;

  struct Attention {
    AttentionExtras* into;
    std::string name;
    formats::AttentionHeads heads;
  };
  static Status load_attention(const Attention& attention, const formats::WeightReader& reader,
                               const ops::PackOptions& options);
  static Status restore_attention(const Attention& attention, const formats::PackedEntry& entry,
                                  const ops::PackOptions& options, formats::StepReader& steps);
  static void account(const Attention& attention, LoadReport& report);

  std::vector<Parameter> parameters_;
  std::vector<Attention> attentions_;
  std::vector<std::string> ignored_;
};

}  // namespace tessera::models
