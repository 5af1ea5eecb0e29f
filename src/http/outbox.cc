#include "http/outbox.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/asio/buffer.hpp>
#include <utility>

namespace tessera::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
// What an idle connection keeps for the next answer; the room of a large one, up to 16 MB, it gives back.
constexpr size_t kKeptBytes = size_t{16} << 10;

void release_room(std::string& sent) {
  sent.clear();
  if (sent.capacity() > kKeptBytes) sent.shrink_to_fit();
}
}  // namespace

void Outbox::start(std::function<void()> on_empty, std::function<void(std::string_view)> on_failure) {
  on_empty_ = std::move(on_empty);
  on_failure_ = std::move(on_failure);
}

void Outbox::push(std::string_view bytes, const std::shared_ptr<void>& owner) {
  if (!on_failure_) return;
  waiting_ += bytes;
  if (!sending_) send_some(owner);
}

void Outbox::close() {
  on_empty_ = nullptr;
  on_failure_ = nullptr;
  disarm();
  waiting_.clear();
}

void Outbox::send_some(const std::shared_ptr<void>& owner) {
  if (sent_ == current_.size()) {
    current_.clear();
    std::swap(current_, waiting_);
    sent_ = 0;
  }
  if (current_.empty() || !on_failure_) {
    sending_ = false;
    disarm();
    release_room(current_);
    release_room(waiting_);
    if (on_empty_) on_empty_();
    return;
  }
  sending_ = true;
  stream_.async_write_some(asio::buffer(current_.data() + sent_, current_.size() - sent_),
                           [this, owner](error_code error, size_t bytes) {
                             sent_ += bytes;
                             if (!error) return send_some(owner);
                             sending_ = false;
                             disarm();
                             fail("the client is gone");
                           });
  unacknowledged_ = unacknowledged();
  watch_for_stall(owner);
}

// The system says that it takes more only when a third of its buffer is free: a megabyte, for which a steady
// reader of 20 kB a second needs longer than the limit. So what it holds is looked at.
void Outbox::watch_for_stall(const std::shared_ptr<void>& owner) {
  timer_.expires_after(stall_limit_);
  timer_.async_wait([this, owner](error_code error) {
    const bool expired = !error && timer_.expiry() <= std::chrono::steady_clock::now();
    if (!expired || !sending_) return;
    const int before = std::exchange(unacknowledged_, unacknowledged());
    if (unacknowledged_ >= before) return fail("the client takes no bytes");
    watch_for_stall(owner);
  });
}

int Outbox::unacknowledged() {
  int bytes = 0;
  return ioctl(stream_.socket().native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

// Not cancel(): an expiry that is already queued must see that it is void.
void Outbox::disarm() {
  timer_.expires_at(std::chrono::steady_clock::time_point::max());
}

void Outbox::fail(std::string_view why) {
  const auto callback = std::exchange(on_failure_, nullptr);
  if (callback) callback(why);
}

}  // namespace tessera::http
