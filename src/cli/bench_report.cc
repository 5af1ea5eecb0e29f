#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "bench/report/report.h"
#include "cli/bench.h"

namespace tessera::cli {
namespace {

Status run_report(const BenchArguments& arguments) {
  const std::filesystem::path directory = arguments.report_directory;
  const std::filesystem::path html = arguments.report_output.empty()
                                         ? directory / "report.html"
                                         : std::filesystem::path(arguments.report_output);
  const std::filesystem::path markdown = std::filesystem::path(html).replace_extension(".md");
  bench::Report report = TRY(bench::make_report(directory));
  // What an earlier call left in the folder is no result.
  const auto plain = [](const std::filesystem::path& path) {
    return std::filesystem::absolute(path).lexically_normal();
  };
  std::erase_if(report.skipped, [&](const std::string& name) {
    return plain(directory / name) == plain(html) || plain(directory / name) == plain(markdown);
  });
  TRY_STATUS(write_text_file(html, report.html));
  TRY_STATUS(write_text_file(markdown, report.markdown));
  if (!report.skipped.empty())
    fmt::print(stderr, "skipped, not results: {}\n", fmt::join(report.skipped, ", "));
  fmt::print("{} and {}, from {} files\n", html.string(), markdown.string(), report.used.size());
  return {};
}

}  // namespace

void add_bench_report(CLI::App& command, BenchArguments& arguments) {
  CLI::App* report =
      command.add_subcommand("report", "result files as one page that opens offline, and as Markdown");
  report->footer("Example:\n  tessera bench report docs/results --output report.html");
  report
      ->add_option(
          "DIR", arguments.report_directory,
          "folder of JSON by bench kernels, bench latency, bench serving, eval compare, tests/memory/run")
      ->required();
  report->add_option("--output", arguments.report_output,
                     "page to write, with a .md beside it (default: DIR/report.html)");
  report->callback([&arguments] { arguments.run = run_report; });
}

}  // namespace tessera::cli
