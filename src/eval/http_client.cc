#include "eval/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace tessera::eval {
namespace {

constexpr long kConnectSeconds = 10;
constexpr size_t kMaxAnswerBytes = size_t{64} << 20;
constexpr size_t kShownBytes = 200;  // of an error's body
constexpr long kOk = 200;
constexpr int kPollMilliseconds = 1000;

// CURL and CURLM are both void.
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

size_t append(const char* data, size_t, size_t bytes, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  if (answer.size() + bytes > kMaxAnswerBytes) return 0;  // fails the transfer
  answer.append(data, bytes);
  return bytes;
}

/// One request at a time; kept for the next, and so is its connection.
class Transfer {
 public:
  explicit Transfer(const HttpTarget& target) : target_(&target), easy_(curl_easy_init()) {
    add_header("Content-Type: application/json");
    if (!target.api_key.empty()) add_header("Authorization: Bearer " + target.api_key);
    set(CURLOPT_URL, target.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_WRITEFUNCTION, append);
    set(CURLOPT_WRITEDATA, &answer_);
    set(CURLOPT_PRIVATE, this);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() = default;

  void set_body(size_t index, std::string body) {
    index_ = index;
    body_ = std::move(body);
    answer_.clear();
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    set(CURLOPT_POSTFIELDS, body_.c_str());
  }

  /// After the transfer: its answer, or what was wrong.
  Result<std::string> answer(CURLcode code) const {
    if (code != CURLE_OK) return unavailable("{}: {}", target_->url, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != kOk) {
      return unavailable("{}: status {}, expected {}: {}", target_->url, status, kOk,
                         std::string_view(answer_).substr(0, kShownBytes));
    }
    return answer_;
  }

  size_t index() const { return index_; }
  CURL* easy() const { return easy_.get(); }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    // Fails only for options that this libcurl does not know.
    const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
    CHECK(code == CURLE_OK, "curl_easy_setopt {}: {}", static_cast<int>(option), curl_easy_strerror(code));
  }
  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    CHECK(longer != nullptr, "out of memory");
    [[maybe_unused]] curl_slist* old = headers_.release();
    headers_.reset(longer);
  }

  const HttpTarget* target_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::string body_, answer_;
  size_t index_ = 0;
};

/// A multi handle that lets go of what it still has before it is freed.
class Transfers {
 public:
  Transfers(const HttpTarget& target, size_t count) : multi_(curl_multi_init()) {
    for (size_t i = 0; i < count; ++i)
      free_.push_back(all_.emplace_back(std::make_unique<Transfer>(target)).get());
  }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;
  ~Transfers() {
    for (const auto& transfer : all_)
      curl_multi_remove_handle(multi_.get(), transfer->easy());
  }

  bool full() const { return free_.empty(); }

  void begin(size_t index, std::string body) {
    Transfer* transfer = free_.back();
    free_.pop_back();
    transfer->set_body(index, std::move(body));
    curl_multi_add_handle(multi_.get(), transfer->easy());
  }

  /// Waits for news; `ended` gets each transfer that has ended.
  Status wait(const std::function<Status(const Transfer&, CURLcode)>& ended) {
    int running = 0;
    CURLMcode code = curl_multi_perform(multi_.get(), &running);
    if (code == CURLM_OK) code = curl_multi_poll(multi_.get(), nullptr, 0, kPollMilliseconds, nullptr);
    if (code != CURLM_OK) return internal_error("libcurl: {}", curl_multi_strerror(code));
    for (int left = 0; const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);) {
      void* owner = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
      auto* transfer = static_cast<Transfer*>(owner);
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi_.get(), transfer->easy());
      free_.push_back(transfer);
      TRY_STATUS(ended(*transfer, result));
    }
    return {};
  }

 private:
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::vector<std::unique_ptr<Transfer>> all_;
  std::vector<Transfer*> free_;
};

}  // namespace

Result<std::string> http_get(const HttpTarget& target) {
  const Transfer transfer(target);
  return transfer.answer(curl_easy_perform(transfer.easy()));
}

Status http_post_all(const HttpTarget& target, size_t count, size_t parallel,
                     const std::function<std::string(size_t)>& body,
                     const std::function<Status(size_t, const std::string&)>& answer) {
  Transfers transfers(target, std::min(count, parallel));
  size_t sent = 0, done = 0;
  const auto ended = [&](const Transfer& transfer, CURLcode code) -> Status {
    const std::string text = TRY(transfer.answer(code));
    ++done;
    return answer(transfer.index(), text);
  };
  while (done < count) {
    for (; sent < count && !transfers.full(); ++sent)
      transfers.begin(sent, body(sent));
    TRY_STATUS(transfers.wait(ended));
  }
  return {};
}

}  // namespace tessera::eval
