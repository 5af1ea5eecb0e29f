// Helpers of the golden tests: reading goldens, running a model over pages in a shuffled order, comparing
// logits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"

namespace tessera::models {

struct Sequence {
  std::vector<int32_t> ids;
  std::vector<float> logits;  // [ids, vocab]
};

std::string golden_dir(const std::string& name);
std::string quantized_golden_dir(const std::string& name);
/// Of DIRECTORY/golden.safetensors.
std::vector<Sequence> golden_sequences(const std::string& directory);
/// Of DIRECTORY/golden_hidden.safetensors: the same sequences' hidden states behind the final norm, [ids,
/// hidden].
std::vector<std::vector<float>> golden_hidden_states(const std::string& directory);

/// Logits [ids, vocab] of one sequence, in one step.
std::vector<float> run_alone(Model& model, const std::vector<int32_t>& ids);
/// The same in steps of at most `chunk` tokens.
std::vector<float> run_in_chunks(Model& model, const std::vector<int32_t>& ids, int32_t chunk);
/// Hidden states [ids, hidden] behind the final norm, in steps of at most `chunk` tokens. With `logits` those
/// of all tokens are asked for too.
std::vector<float> hidden_in_chunks(Model& model, const std::vector<int32_t>& ids, int32_t chunk,
                                    bool logits);
/// All sequences in one step.
std::vector<std::vector<float>> run_together(Model& model, const std::vector<Sequence>& sequences);

struct Difference {
  double max_relative = 0;  // max |a - b| / max |b|
};
Difference compare(const std::vector<float>& logits, const std::vector<float>& golden);

struct Closeness {
  double kl_sum = 0;         // KL(golden || ours), summed over rows
  double top1_agreeing = 0;  // rows
};
Closeness compare_rows(const std::vector<float>& logits, const std::vector<float>& golden, size_t rows);

}  // namespace tessera::models
