#include "plot/page.h"

#include <fmt/format.h>

#include "plot/svg.h"

namespace tessera::plot {
namespace {

constexpr const char* kHead =
    R"(<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; color-scheme: light }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; display: block; overflow-x: auto; margin: 1em 0 }
th, td { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: right } th:first-child, td:first-child { text-align: left; white-space: nowrap }
svg { display: block; margin: 1.5em 0; max-width: 100%; height: auto }
h2 { margin-top: 2em } .note { color: #555; font-size: 13px }
</style>
)";

}  // namespace

std::string html_page(std::string_view title, std::string_view body) {
  const std::string name = escape_html(title);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head>{}<title>{}</title></head><body>\n<h1>{}</h1>\n{}</body>"
      "</html>\n",
      kHead, name, name, body);
}

}  // namespace tessera::plot
