// libcurl on our loop.  It gets addresses instead of a name, so that its own resolver is never used.
#include "gateway/io/https.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <memory>

#include "gateway/base/check.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/watch.h"

namespace postern::io {
namespace {

using Kind = HttpsAnswer::Kind;

constexpr long kConnectMilliseconds = 15'000;

struct Free {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// "host:443:192.0.2.1,[2001:db8::1]"
std::string resolved(const HttpsRequest& request) {
  std::string out = request.host + ":" + std::to_string(request.port) + ":";
  for (std::size_t i = 0; i < request.addresses.size(); ++i) {
    auto address = request.addresses[i].to_string();
    out += (i == 0 ? "" : ",") + (request.addresses[i].is_v6() ? "[" + address + "]" : address);
  }
  return out;
}

Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR: return Kind::not_trusted;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WRITE_ERROR: return Kind::too_large;
    default: return Kind::unreachable;
  }
}

// One request with all that it needs: two of them share nothing.
class Transfer final : private FdListener, private TimerListener {
 public:
  explicit Transfer(const HttpsRequest& request)
      : loop_(Loop::current()), timer_(loop_, *this), limit_(request.max_octets), easy_(curl_easy_init()), multi_(curl_multi_init()) {
    CHECK(easy_ != nullptr && multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    set_options(request);
  }
  ~Transfer() {
    closing_ = true;
    curl_multi_remove_handle(multi_, easy_.get());
    watches_.clear();
    curl_multi_cleanup(multi_);
  }
  Transfer(const Transfer&) = delete;

  Task<HttpsAnswer> run(Deadline deadline) {
    curl_multi_add_handle(multi_, easy_.get());
    while (!done_) {
      bool woken = co_await ended_.wait(deadline);
      if (woken || done_) continue;
      answer_.problem = "no answer in time";
      co_return std::move(answer_);
    }
    co_return std::move(answer_);
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    CHECK(curl_easy_setopt(easy_.get(), option, value) == CURLE_OK);
  }
  void set_options(const HttpsRequest& request) {
    auto url = "https://" + request.host + (request.port == 443 ? "" : ":" + std::to_string(request.port)) + request.path;
    addresses_.reset(curl_slist_append(nullptr, resolved(request).c_str()));
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_RESOLVE, addresses_.get());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");                      // the environment of a daemon is no configuration
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_MAXFILESIZE, static_cast<long>(request.max_octets));
    set(CURLOPT_USERAGENT, "postern");
    set(CURLOPT_ERRORBUFFER, words_);
    set(CURLOPT_WRITEFUNCTION, take);
    set(CURLOPT_WRITEDATA, this);
    if (!request.trust.empty()) set(CURLOPT_CAINFO, request.trust.c_str());   // the system's folder of authorities stays
  }

  static std::size_t take(char* octets, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    auto& body = transfer.answer_.body;
    if (body.size() + count > transfer.limit_) return 0;
    body.append(octets, count);
    return count;
  }
  static int socket_changed(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.closing_ || what == CURL_POLL_REMOVE) {
      transfer.watches_.erase(fd);
      return 0;
    }
    FdListener& listener = transfer;   // make_unique may not see the private base
    auto& watch = transfer.watches_[fd];
    if (watch == nullptr) watch = std::make_unique<FdWatch>(transfer.loop_, fd, listener);
    watch->want((what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0);
    return 0;
  }
  static int timer_changed(CURLM*, long milliseconds, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (milliseconds < 0) transfer.timer_.clear();
    else transfer.timer_.set(std::chrono::milliseconds(milliseconds));
    return 0;
  }
  void on_ready(int fd, bool readable, bool writable) override {
    act(fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
  }
  void on_timer() override { act(CURL_SOCKET_TIMEOUT, 0); }
  void act(curl_socket_t fd, int events) {
    int running = 0;
    curl_multi_socket_action(multi_, fd, events, &running);
    int left = 0;
    while (auto* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) finish(message->data.result);
    }
  }
  void finish(CURLcode code) {
    done_ = true;
    if (code == CURLE_OK) {
      answer_.kind = Kind::answered;
      curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answer_.status);
      const char* type = nullptr;
      if (curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != nullptr) answer_.content_type = type;
    } else {
      answer_.kind = kind_of(code);
      answer_.problem = answer_.kind == Kind::too_large ? "the document is larger than " + std::to_string(limit_) + " octets"
                        : words_[0] != '\0'             ? std::string(words_)
                                                        : std::string(curl_easy_strerror(code));
    }
    ended_.notify();
  }

  Loop& loop_;
  Timer timer_;
  std::size_t limit_;
  char words_[CURL_ERROR_SIZE] = {};
  std::unique_ptr<curl_slist, Free> addresses_;
  std::unique_ptr<CURL, Free> easy_;
  CURLM* multi_;
  std::map<curl_socket_t, std::unique_ptr<FdWatch>> watches_;
  Signal ended_;
  HttpsAnswer answer_;
  bool done_ = false;
  bool closing_ = false;
};

}  // namespace

Task<HttpsAnswer> get_https(HttpsRequest request, Deadline deadline) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(initialised == CURLE_OK);
  HttpsAnswer out;
  if (request.addresses.empty()) {
    out.problem = request.host + " has no address";
    co_return out;
  }
  Transfer transfer(request);
  out = co_await transfer.run(deadline);
  co_return out;
}

}  // namespace postern::io
