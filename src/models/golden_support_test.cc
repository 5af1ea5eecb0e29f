#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/golden_file.h"
#include "models/golden_support.h"

namespace tessera::models {
namespace {

constexpr int32_t kPageSize = 4;

/// Page tables that interleave and run backwards: a model that ignores them cannot pass.
std::vector<std::vector<int32_t>> make_page_tables(const std::vector<size_t>& lengths, int32_t& page_count) {
  std::vector<std::vector<int32_t>> tables(lengths.size());
  page_count = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const size_t pages = (lengths[i] + kPageSize - 1) / kPageSize;
    for (size_t page = 0; page < pages; ++page)
      tables[i].push_back(page_count++);
  }
  for (auto& table : tables) {
    for (int32_t& page : table)
      page = page_count - 1 - page;
  }
  return tables;
}

std::vector<float> log_softmax(const float* row, size_t size) {
  const float top = *std::max_element(row, row + size);
  double total = 0;
  for (size_t i = 0; i < size; ++i)
    total += std::exp(static_cast<double>(row[i] - top));
  std::vector<float> result(size);
  for (size_t i = 0; i < size; ++i)
    result[i] = static_cast<float>(row[i] - top - std::log(total));
  return result;
}

}  // namespace

std::string golden_dir(const std::string& name) {
  return std::string(TESSERA_SOURCE_DIR) + "/tests/golden/models/" + name;
}

std::string quantized_golden_dir(const std::string& name) {
  return std::string(TESSERA_SOURCE_DIR) + "/tests/golden/quant_models/" + name;
}

std::vector<Sequence> golden_sequences(const std::string& golden) {
  const auto source = formats::open_golden(golden + "/golden.safetensors");
  std::vector<Sequence> sequences;
  for (int i = 0; source->find("input_ids_" + std::to_string(i)) != nullptr; ++i) {
    const auto ids = source->read(std::string_view("input_ids_" + std::to_string(i)));
    const auto logits = source->read("logits_" + std::to_string(i));
    const auto id_span = ids->as<int64_t>();
    const auto logit_span = logits->as<float>();
    sequences.push_back({{id_span.begin(), id_span.end()}, {logit_span.begin(), logit_span.end()}});
  }
  EXPECT_GE(sequences.size(), 2U) << golden;
  return sequences;
}

std::vector<std::vector<float>> golden_hidden_states(const std::string& golden) {
  const auto source = formats::open_golden(golden + "/golden_hidden.safetensors");
  std::vector<std::vector<float>> states;
  for (int i = 0; source->find("hidden_" + std::to_string(i)) != nullptr; ++i) {
    const auto hidden = source->read("hidden_" + std::to_string(i));
    const auto span = hidden->as<float>();
    states.emplace_back(span.begin(), span.end());
  }
  EXPECT_GE(states.size(), 2U) << golden;
  return states;
}

std::vector<std::vector<float>> run_together(Model& model, const std::vector<Sequence>& sequences) {
  std::vector<size_t> lengths;
  for (const Sequence& sequence : sequences)
    lengths.push_back(sequence.ids.size());
  int32_t page_count = 0;
  const auto tables = make_page_tables(lengths, page_count);
  auto cache = model.make_cache(kPageSize, page_count);
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < sequences.size(); ++i)
    chunks.push_back({.ids = sequences[i].ids, .pages = tables[i], .logits = Chunk::Logits::kAll});
  const auto rows = static_cast<int64_t>(std::accumulate(lengths.begin(), lengths.end(), size_t{0}));
  const auto vocab = static_cast<size_t>(model.config().vocab);
  std::vector<float> all(static_cast<size_t>(rows) * vocab);
  const auto status = model.forward(chunks, *cache, {all.data(), rows, static_cast<int64_t>(vocab)});
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message());
  std::vector<std::vector<float>> results;
  auto next = all.begin();
  for (const size_t length : lengths) {
    const auto end = next + static_cast<ptrdiff_t>(length * vocab);
    results.emplace_back(next, end);
    next = end;
  }
  return results;
}

std::vector<float> run_alone(Model& model, const std::vector<int32_t>& ids) {
  return run_together(model, {{ids, {}}}).front();
}

std::vector<float> run_in_chunks(Model& model, const std::vector<int32_t>& ids, int32_t chunk) {
  int32_t page_count = 0;
  const auto tables = make_page_tables({ids.size()}, page_count);
  auto cache = model.make_cache(kPageSize, page_count);
  const auto vocab = static_cast<int64_t>(model.config().vocab);
  std::vector<float> all(ids.size() * static_cast<size_t>(vocab));
  const std::span<const int32_t> span = ids;
  for (size_t start = 0; start < ids.size(); start += static_cast<size_t>(chunk)) {
    const size_t count = std::min(static_cast<size_t>(chunk), ids.size() - start);
    const std::vector<Chunk> chunks{{.ids = span.subspan(start, count),
                                     .start = static_cast<int32_t>(start),
                                     .pages = tables.front(),
                                     .logits = Chunk::Logits::kAll}};
    const auto status =
        model.forward(chunks, *cache,
                      {all.data() + start * static_cast<size_t>(vocab), static_cast<int64_t>(count), vocab});
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message());
  }
  return all;
}

std::vector<float> hidden_in_chunks(Model& model, const std::vector<int32_t>& ids, int32_t chunk,
                                    bool logits) {
  int32_t page_count = 0;
  const auto tables = make_page_tables({ids.size()}, page_count);
  auto cache = model.make_cache(kPageSize, page_count);
  const auto vocab = static_cast<int64_t>(model.config().vocab);
  const auto width = static_cast<int64_t>(model.config().hidden);
  std::vector<float> all(ids.size() * static_cast<size_t>(width)),
      unread(ids.size() * static_cast<size_t>(vocab));
  const std::span<const int32_t> span = ids;
  for (size_t start = 0; start < ids.size(); start += static_cast<size_t>(chunk)) {
    const size_t count = std::min(static_cast<size_t>(chunk), ids.size() - start);
    const auto rows = static_cast<int64_t>(count);
    const std::vector<Chunk> chunks{{.ids = span.subspan(start, count),
                                     .start = static_cast<int32_t>(start),
                                     .pages = tables.front(),
                                     .logits = logits ? Chunk::Logits::kAll : Chunk::Logits::kNone,
                                     .hidden = Chunk::Hidden::kAll}};
    const auto status = model.forward(chunks, *cache, {unread.data(), logits ? rows : 0, vocab},
                                      {all.data() + start * static_cast<size_t>(width), rows, width});
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message());
  }
  return all;
}

Difference compare(const std::vector<float>& logits, const std::vector<float>& golden) {
  EXPECT_EQ(logits.size(), golden.size());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(golden[i])));
    const double gap = std::abs(static_cast<double>(logits[i]) - golden[i]);
    difference = std::isnan(gap) ? INFINITY : std::max(difference, gap);
  }
  return {difference / largest};
}

Closeness compare_rows(const std::vector<float>& logits, const std::vector<float>& golden, size_t rows) {
  const size_t vocab = golden.size() / rows;
  Closeness closeness;
  for (size_t row = 0; row < rows; ++row) {
    const auto ours = log_softmax(&logits[row * vocab], vocab),
               theirs = log_softmax(&golden[row * vocab], vocab);
    for (size_t i = 0; i < vocab; ++i)
      closeness.kl_sum +=
          std::exp(static_cast<double>(theirs[i])) * (static_cast<double>(theirs[i]) - ours[i]);
    const auto top = [](const std::vector<float>& values) {
      return std::ranges::max_element(values) - values.begin();
    };
    closeness.top1_agreeing += top(ours) == top(theirs) ? 1 : 0;
  }
  return closeness;
}

}  // namespace tessera::models
