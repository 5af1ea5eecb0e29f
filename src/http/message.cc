#include "http/message.h"

#include <algorithm>
#include <ctime>

namespace tessera::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
    if (low < 0 || high * 16 + low == 0) {
      return invalid_argument("request target: bad percent code at byte {}, expected % and two hex digits",
                              at);
    }
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  // Locale "C" is never changed by this program, so the names are English as RFC 9110 wants them.
  const size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text, length};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

Result<Target> parse_target(std::string_view target) {
  if (const size_t scheme = target.find("://"); scheme != target.npos && !target.starts_with('/')) {
    const size_t slash = target.find('/', scheme + 3);
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  target = target.substr(0, target.find('#'));
  const size_t question = target.find('?');
  Target parts;
  parts.path = TRY(percent_decode(target.substr(0, question)));
  if (question != target.npos) parts.query = target.substr(question + 1);
  return parts;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    auto value = percent_decode(pair.substr(std::min(pair.size(), equals + 1)));
    return value ? std::optional(std::move(*value)) : std::nullopt;
  }
  return std::nullopt;
}

std::string_view reason_phrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Payload Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Status";
}

std::string response_head(const Response& response, int64_t content_length, const HeadOptions& options) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                 reason_phrase(response.status), http_date());
  if (!response.content_type.empty() && content_length != 0) {
    head += fmt::format("Content-Type: {}\r\n", response.content_type);
  }
  if (content_length >= 0) {
    if (response.status != 204) head += fmt::format("Content-Length: {}\r\n", content_length);
  } else if (!options.http10) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  if (!options.keep_alive) {
    head += "Connection: close\r\n";
  } else if (options.http10) {
    head += "Connection: keep-alive\r\n";
  }
  if (!options.request_id.empty()) head += fmt::format("X-Request-Id: {}\r\n", options.request_id);
  for (const std::span<const Header> headers : {std::span(response.headers), options.extra}) {
    for (const Header& header : headers)
      head += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  return head += "\r\n";
}

std::string encode_chunk(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

}  // namespace tessera::http
