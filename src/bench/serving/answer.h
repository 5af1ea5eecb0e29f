// AnswerReader: the bytes of one answer, as they arrive, to what SGLang's bench_serving takes from it: time
// to the first text, gaps between texts, tokens and the text itself. No sockets and no clock: times are
// given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/serving/backend.h"
#include "bench/serving/event_lines.h"

namespace tessera::bench::serving {

/// What became of one request. Times in seconds.
struct Outcome {
  bool success = false;
  std::string error = {};                // why not
  double start_s = 0;                    // when it was sent
  double ttft_s = 0;                     // from there to the first text; 0: none came
  double latency_s = 0;                  // to the last event
  std::vector<double> itls_s = {};       // per token after the first text (kGenerate), or per event
  std::vector<std::string> chunks = {};  // OpenAI's protocols: the text of each of itls_s
  std::string text = {};
  int64_t output_tokens = 0;  // as the server counts; as asked for where it does not say
};

class AnswerReader {
 public:
  AnswerReader(Protocol protocol, bool stream, int64_t asked_tokens, double start_s);

  /// The next bytes of the body of a 200. False when they make no sense: finish() says why.
  bool receive(std::string_view bytes, double now_s);

  /// After the last byte of a body that arrived whole.
  Outcome finish(double now_s) &&;
  /// Instead of finish(): the answer was an error, or broke off.
  Outcome fail(std::string error) &&;

 private:
  void read_event(std::string_view data);
  void read_generate(std::string_view data);
  void read_openai(std::string_view data);
  void read_whole();
  void count_text(int64_t new_tokens);
  void set_error(std::string_view what, std::string_view data);

  Protocol protocol_;
  bool stream_;
  EventLines lines_;
  std::string body_;      // not streaming: all of it
  std::string raw_text_;  // kGenerate: the last text as JSON writes it, made plain at the end
  Outcome outcome_;
  double now_s_ = 0, last_text_s_ = 0;
  bool has_text_ = false, done_ = false;
};

}  // namespace tessera::bench::serving
