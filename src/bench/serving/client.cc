#include "bench/serving/client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/quoted.h"

namespace tessera::bench::serving {
namespace {

constexpr long kConnectSeconds = 60;
constexpr long kReceiveBytes = 32 << 10;  // each connection has a buffer of its own
constexpr size_t kShownBytes = 200;       // of an error's body
constexpr long kOk = 200;
constexpr size_t kEventsAtOnce = 256;
constexpr double kLongestWaitSeconds = 1;

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
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList header_list(const std::vector<std::string>& headers) {
  HeaderList list;
  const auto add = [&](const char* line) {
    curl_slist* longer = curl_slist_append(list.get(), line);
    CHECK(longer != nullptr, "out of memory");
    [[maybe_unused]] curl_slist* old = list.release();
    list.reset(longer);
  };
  add("Content-Type: application/json");
  add("Expect:");  // a body over 1 MB would wait for a "100 Continue"
  for (const std::string& line : headers)
    add(line.c_str());
  return list;
}

/// One exchange under way.
class Transfer {
 public:
  Transfer(Exchange exchange, const HeaderList& headers)
      : exchange_(std::move(exchange)), easy_(curl_easy_init()) {
    CHECK(easy_ != nullptr, "out of memory");
    set(CURLOPT_URL, exchange_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_PROXY, "");  // it is the server that is measured
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_DNS_CACHE_TIMEOUT, -1L);  // a name is looked up once
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_BUFFERSIZE, kReceiveBytes);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_ERRORBUFFER, error_.data());
    if (exchange_.post) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(exchange_.post->size()));
      set(CURLOPT_POSTFIELDS, exchange_.post->c_str());
    }
  }

  CURL* easy() const { return easy_.get(); }

  void end(CURLcode code) {
    std::string failure;
    if (const long status = response_code(); status != 0 && status != kOk) {
      failure = fmt::format("status {}: {}", status, quoted_text(error_body_));
    } else if (broken_off_) {
      failure = "the answer makes no sense";
    } else if (code != CURLE_OK) {
      failure = error_[0] != 0 ? error_.data() : curl_easy_strerror(code);
    }
    exchange_.on_end(std::move(failure), Client::now_s());
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    // Fails only for options that this libcurl does not know.
    const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
    CHECK(code == CURLE_OK, "curl_easy_setopt {}: {}", static_cast<int>(option), curl_easy_strerror(code));
  }
  long response_code() const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  static size_t on_bytes(const char* data, size_t, size_t count, void* owner) {
    auto& self = *static_cast<Transfer*>(owner);
    const std::string_view bytes(data, count);
    if (self.response_code() != kOk) {
      self.error_body_ += bytes.substr(0, kShownBytes - self.error_body_.size());
      return count;
    }
    if (self.exchange_.on_body(bytes, Client::now_s())) return count;
    self.broken_off_ = true;
    return 0;  // ends the transfer
  }

  Exchange exchange_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string error_body_;
  bool broken_off_ = false;
};

}  // namespace

class Client::Loop {
 public:
  explicit Loop(const std::vector<std::string>& headers)
      : headers_(header_list(headers)), epoll_(epoll_create1(EPOLL_CLOEXEC)), multi_(curl_multi_init()) {
    CHECK(epoll_ >= 0 && multi_ != nullptr, "no epoll or no memory");
    set(CURLMOPT_SOCKETFUNCTION, &Loop::on_socket);
    set(CURLMOPT_SOCKETDATA, this);
    set(CURLMOPT_TIMERFUNCTION, &Loop::on_timer);
    set(CURLMOPT_TIMERDATA, this);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    for (const auto& [easy, transfer] : transfers_)
      curl_multi_remove_handle(multi_.get(), easy);
    multi_.reset();  // closes sockets, which calls on_socket
    ::close(epoll_);
  }

  void start(Exchange exchange) {
    auto transfer = std::make_unique<Transfer>(std::move(exchange), headers_);
    CURL* easy = transfer->easy();
    transfers_.emplace(easy, std::move(transfer));
    check(curl_multi_add_handle(multi_.get(), easy));
    act(CURL_SOCKET_TIMEOUT, 0);  // connects now, not when all others have been added
  }

  void poll(double timeout_s) {
    std::array<epoll_event, kEventsAtOnce> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms(timeout_s));
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<size_t>(i)];
      const int readable = (event.events & EPOLLIN) ? CURL_CSELECT_IN : 0;
      const int writable = (event.events & EPOLLOUT) ? CURL_CSELECT_OUT : 0;
      const int failed = (event.events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0;
      act(event.data.fd, readable | writable | failed);
    }
    if (timer_s_ && *timer_s_ <= now_s()) {
      timer_s_.reset();
      act(CURL_SOCKET_TIMEOUT, 0);
    }
    end_finished();
  }

  size_t active() const { return transfers_.size(); }

 private:
  template <class Value>
  void set(CURLMoption option, Value value) {
    check(curl_multi_setopt(multi_.get(), option, value));
  }
  static void check(CURLMcode code) { CHECK(code == CURLM_OK, "libcurl: {}", curl_multi_strerror(code)); }
  void act(curl_socket_t socket, int events) {
    int running = 0;
    check(curl_multi_socket_action(multi_.get(), socket, events, &running));
  }
  int wait_ms(double timeout_s) const {
    double seconds = std::min(timeout_s, kLongestWaitSeconds);
    if (timer_s_) seconds = std::min(seconds, *timer_s_ - now_s());
    return static_cast<int>(std::ceil(std::max(seconds, 0.0) * 1000));
  }

  void end_finished() {
    for (int left = 0; const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);) {
      const CURLcode code = message->data.result;
      auto ended = transfers_.extract(message->easy_handle);
      CHECK(!ended.empty(), "libcurl ended what was not started");
      curl_multi_remove_handle(multi_.get(), ended.key());
      ended.mapped()->end(code);
    }
  }

  // libcurl says what it wants to know of a socket; epoll remembers it.
  static int on_socket(CURL*, curl_socket_t socket, int what, void* owner, void* known) {
    auto& self = *static_cast<Loop*>(owner);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, nullptr);
      return 0;
    }
    epoll_event event{};
    event.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0U);
    event.data.fd = socket;
    epoll_ctl(self.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(self.multi_.get(), socket, &self);  // marks it as known
    return 0;
  }
  static int on_timer(CURLM*, long timeout_ms, void* owner) {
    auto& self = *static_cast<Loop*>(owner);
    self.timer_s_.reset();
    if (timeout_ms >= 0) self.timer_s_ = now_s() + static_cast<double>(timeout_ms) / 1000;
    return 0;
  }

  HeaderList headers_;
  int epoll_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
  std::optional<double> timer_s_;
};

Client::Client(const std::vector<std::string>& headers) : loop_(std::make_unique<Loop>(headers)) {}
Client::~Client() = default;

double Client::now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Client::start(Exchange exchange) {
  loop_->start(std::move(exchange));
}
void Client::poll(double timeout_s) {
  loop_->poll(timeout_s);
}
size_t Client::active() const {
  return loop_->active();
}

Result<std::string> Client::fetch(const std::string& url, const std::string* post) {
  CHECK(active() == 0, "fetch() beside other exchanges");
  std::string body, failure;
  start({.url = url,
         .post = post,
         .on_body =
             [&](std::string_view bytes, double) {
               body += bytes;
               return body.size() < (size_t{64} << 20);
             },
         .on_end = [&](std::string why, double) { failure = std::move(why); }});
  while (active() > 0)
    poll(kLongestWaitSeconds);
  if (!failure.empty()) return unavailable("{}: {}", url, failure);
  return body;
}

void allow_sockets(size_t count) {
  rlimit limit{};
  constexpr rlim_t kOthers = 64;  // files, libraries, a terminal
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + kOthers) return;
  limit.rlim_cur = std::min<rlim_t>(count + kOthers, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tessera::bench::serving
