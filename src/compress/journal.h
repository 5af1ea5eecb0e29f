// Journal: how far a `quantize` is, kept in its output directory, so that the same command goes on where one
// was interrupted. At any instant the directory holds one whole state: weights are synced, hidden states are
// renamed into place, and only then the file that speaks of them is. What came after is done again, with the
// same bytes. The files go when the checkpoint is finished. One owner.
//
//   quantize.state.json       fingerprint of the command and its inputs, layers and tensors done
//   quantize.hidden.N         [tokens, hidden] floats before layer N
//   model*.safetensors.partial
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "compress/calibrate/calibrated_rounding.h"
#include "compress/quantize_plan.h"

namespace tessera::compress {

class Journal {
 public:
  /// Makes options.output ready: goes on with what is there of the same command, and logs it.
  /// kInvalidArgument when it holds unfinished work of another command, or anything else, without
  /// options.force, which removes it.
  static Result<Journal> open(const QuantizeOptions& options);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  /// Without a step done, nothing is left behind.
  ~Journal();

  /// Decoder layers that calibration has rounded.
  int32_t layers() const { return layers_; }
  /// Tensors, in the order of the plan, that were written without calibration.
  size_t steps() const { return steps_; }

  /// What save_layers() was given last.
  Result<CalibrationSummary> restore(MatrixView<float> hidden) const;

  /// `sync` puts what was written so far on the disk. Saves when that is worth its time: at most a twentieth
  /// of the work goes into it.
  void set_sync(std::function<Status()> sync) { sync_ = std::move(sync); }
  Status save_layers(int32_t layers, MatrixView<const float> hidden, const CalibrationSummary& summary);
  Status save_steps(size_t steps);

  /// Before the files get their names: what an interrupted run left would not be found under its own.
  Status forget();
  /// Where what `--scheme auto` measured is kept, also of a finished checkpoint.
  std::filesystem::path sensitivity_file() const;

  /// The checkpoint is whole.
  Status finish();

 private:
  Journal() = default;
  bool is_worth_it() const;
  Status save();
  std::filesystem::path hidden_file(int32_t layers) const;

  std::filesystem::path directory_;
  nlohmann::json fingerprint_, summary_;
  int32_t layers_ = 0;
  size_t steps_ = 0;
  std::function<Status()> sync_;
  std::chrono::steady_clock::time_point saved_;
  std::chrono::duration<double> cost_{0};
  bool is_open_ = false;  // it may remove what it made
};

}  // namespace tessera::compress
