// The table of `tessera eval compare` for people, for programs, and as a page that opens without a network.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "eval/compare.h"

namespace tessera::eval {

/// {"models": [{name, scheme, layout, bytes, perplexity, mean_kl ...}]}; what was not measured is absent.
nlohmann::ordered_json to_json(std::span<const ComparedRow> rows);

std::string to_text(std::span<const ComparedRow> rows);

/// One file: the table, and bars and points drawn as SVG. `text` names what perplexity was measured on.
std::string to_html(std::span<const ComparedRow> rows, const std::string& text);

}  // namespace tessera::eval
