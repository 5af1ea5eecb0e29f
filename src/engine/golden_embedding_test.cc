// Embeddings of tiny models through the whole engine against what Hugging Face transformers makes of the same
// tokens (tools/golden/make_embedding_goldens.py).
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <numeric>

#include "engine/engine_test_support.h"
#include "engine/open_model.h"
#include "engine/scheduler.h"
#include "formats/golden_file.h"

namespace tessera::engine {
namespace {

template <class Stored, class T>
std::vector<T> tensor(const formats::TensorSource& source, const std::string& name) {
  const auto read = source.read(name);
  CHECK(read.has_value(), "{}", read.error().message());
  const auto values = read->template as<Stored>();
  return {values.begin(), values.end()};
}

std::vector<float> unit_vector(std::vector<float> vector) {
  const double length = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
  for (float& number : vector)
    number = static_cast<float>(number / length);
  return vector;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t at = 0; at < wanted.size(); ++at)
    EXPECT_NEAR(found[at], wanted[at], 1e-5) << "number " << at;
}

class GoldenEmbedding : public testing::TestWithParam<const char*> {};

TEST_P(GoldenEmbedding, EqualsTransformers) {
  const std::string directory = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/models/" + GetParam();
  OpenOptions options;
  options.load = {.model_path = directory, .dtype = "float32", .threads = 2};
  options.max_total_tokens = 512;
  auto model = open_model(options);
  ASSERT_TRUE(model) << model.error().message();
  const auto sequences = formats::open_golden(directory + "/golden.safetensors");
  const auto goldens = formats::open_golden(directory + "/golden_hidden.safetensors");
  Scheduler scheduler(*model->executor, *model->tokenizer, {.chunked_prefill_size = 13}, 1);
  std::deque<Client> last, mean;
  for (const std::string number : {"0", "1", "2"}) {
    const auto ids = tensor<int64_t, int32_t>(*sequences, "input_ids_" + number);
    scheduler.add(2 * last.size() + 1, embed(ids, Pooling::kLast), last.emplace_back().callback());
    scheduler.add(2 * mean.size() + 2, embed(ids, Pooling::kMean), mean.emplace_back().callback());
  }
  while (!scheduler.idle())
    scheduler.step();
  for (const std::string number : {"0", "1", "2"}) {
    SCOPED_TRACE("sequence " + number);
    expect_near(unit_vector(last.front().embedding), tensor<float, float>(*goldens, "last_" + number));
    expect_near(unit_vector(mean.front().embedding), tensor<float, float>(*goldens, "mean_" + number));
    last.pop_front();
    mean.pop_front();
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenEmbedding, testing::Values("llama", "qwen2", "qwen3", "qwen3-moe"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::engine
