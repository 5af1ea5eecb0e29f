#include "bench/report/report.h"

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <utility>

#include "base/file.h"
#include "bench/report/section.h"
#include "formats/json_limits.h"
#include "plot/page.h"
#include "plot/svg.h"

namespace tessera::bench {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;  // --output-details of a long run
constexpr formats::JsonLimits kLimits{.max_bytes = kMaxFileBytes};

/// A kind of result: the members that tell it, and what its files become. An object is of the first that
/// fits.
struct Kind {
  std::initializer_list<const char*> members;
  std::initializer_list<Section (*)(Results)> sections;
};
const Kind kKinds[] = {
    {.members = {"output_throughput", "mean_ttft_ms"}, .sections = {serving_section}},
    {.members = {"machine", "model", "runs"},
     .sections = {latency_section, layout_section, weight_bytes_section}},
    {.members = {"machine", "cases"}, .sections = {kernels_section}},
    {.members = {"peers"}, .sections = {peer_speeds_section, peer_loads_section}},
    {.members = {"models"}, .sections = {quality_section}},
    {.members = {"memory_loads"}, .sections = {memory_section}},
};

const Kind* kind_of(const nlohmann::json& json) {
  const auto fits = [&](const Kind& kind) {
    return json.is_object() &&
           std::ranges::all_of(kind.members, [&](const char* member) { return json.contains(member); });
  };
  const auto* const found = std::ranges::find_if(kKinds, fits);
  return found == std::end(kKinds) ? nullptr : found;
}

Result<std::vector<fs::path>> files_below(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  }
  if (error) return not_found("{}: {}", directory.string(), error.message());
  std::ranges::sort(files);
  return files;
}

/// Documents and what they are called in messages and tables; a deque keeps them where they are.
using Documents = std::deque<std::pair<std::string, nlohmann::json>>;

/// Python's json writes Infinity and NaN (SGLang's request_rate), which JSON does not have: null instead.
std::string without_infinities(std::string_view text) {
  std::string out;
  bool in_string = false;
  while (!text.empty()) {
    size_t taken = 1;
    if (text.front() == '"') in_string = !in_string;
    if (in_string && text.front() == '\\') taken = std::min<size_t>(2, text.size());
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (in_string || !text.starts_with(word)) continue;
      out += "null";
      taken = 0;
      text.remove_prefix(word.size());
      break;
    }
    out += text.substr(0, taken);
    text.remove_prefix(taken);
  }
  return out;
}

Status parse_lines(std::string_view text, const std::string& name, Documents& documents) {
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    std::string where = fmt::format("{}:{}", name, number);
    nlohmann::json json = TRY(formats::parse_json(without_infinities(line), where, kLimits));
    documents.emplace_back(std::move(where), std::move(json));
  }
  return {};
}

Result<Documents> parse_file(const fs::path& path, const std::string& name) {
  const std::string text = TRY(read_text_file(path, kMaxFileBytes));
  Documents documents;
  if (path.extension() == ".jsonl") {
    TRY_STATUS(parse_lines(text, name, documents));
  } else {
    nlohmann::json json = TRY(formats::parse_json(text, name, kLimits));
    documents.emplace_back(name, std::move(json));
  }
  return documents;
}

std::string html_of(const Section& section) {
  std::string html = fmt::format("<h2>{}</h2>\n", plot::escape_html(section.title));
  for (const std::string& note : section.notes)
    html += fmt::format("<p class=\"note\">{}</p>\n", plot::escape_html(note));
  for (const std::string& chart : section.charts)
    html += chart;
  return html + plot::to_html(section.table);
}

std::string markdown_of(const Section& section) {
  std::string text = fmt::format("\n## {}\n\n", section.title);
  for (const std::string& note : section.notes)
    text += note + "\n\n";
  return text + plot::to_markdown(section.table);
}

Result<std::vector<Section>> make_sections(const Documents& documents) {
  std::optional<Error> error;
  std::vector<Section> sections;
  std::vector<ResultValue> machines;
  for (const Kind& kind : kKinds) {
    std::vector<ResultValue> results;
    for (const auto& [name, json] : documents) {
      if (kind_of(json) != &kind) continue;
      results.emplace_back(json, name, error);
      if (json.contains("machine")) machines.push_back(results.back());
    }
    if (results.empty()) continue;
    for (auto* const make : kind.sections)
      sections.push_back(make(results));
  }
  if (!machines.empty()) sections.push_back(machine_section(machines));
  if (error) return *std::move(error);
  std::erase_if(sections, [](const Section& section) { return section.table.rows.empty(); });
  return sections;
}

}  // namespace

Result<Report> make_report(const fs::path& directory) {
  Report report;
  Documents documents;
  const std::vector<fs::path> paths = TRY(files_below(directory));
  for (const fs::path& path : paths) {
    const std::string name = path.lexically_relative(directory).string();
    bool used = false;
    if (path.extension() == ".json" || path.extension() == ".jsonl") {
      Documents parsed = TRY(parse_file(path, name));
      for (auto& document : parsed) {
        if (kind_of(document.second) == nullptr) continue;
        documents.push_back(std::move(document));
        used = true;
      }
    }
    (used ? report.used : report.skipped).push_back(name);
  }
  if (documents.empty()) {
    return not_found(
        "{}: no result file, expected JSON of bench kernels, bench latency, bench serving, eval compare or "
        "tests/memory/run",
        directory.string());
  }
  std::string body;
  report.markdown = "# Measurements\n";
  const std::vector<Section> sections = TRY(make_sections(documents));
  for (const Section& section : sections) {
    body += html_of(section);
    report.markdown += markdown_of(section);
  }
  report.html = plot::html_page("Measurements", body);
  return report;
}

}  // namespace tessera::bench
