// Sockets for coroutines: libevent for readiness, read()/SSL_read() for the octets.
#include "gateway/io/stream.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gateway/base/text.h"
#include "gateway/io/edge.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/socket.h"

namespace postern::io {
namespace {

constexpr std::size_t kScratch = 64 * 1024;
constexpr std::size_t kKeepBuffer = 4096;
constexpr auto kTurn = std::chrono::milliseconds(5);   // so long a stream goes on before the others of its loop

}  // namespace

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

struct Stream::Edges {
  explicit Edges(int fd) : read(fd, EV_READ), write(fd, EV_WRITE) {}
  Edge read;
  Edge write;
};

Stream::Stream(Fd socket) : Stream(std::move(socket), {}) { peer_ = peer_of(fd_.get()); }
Stream::Stream(Fd socket, Endpoint peer) : fd_(std::move(socket)), edges_(std::make_unique<Edges>(fd_.get())), peer_(peer) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    ssl_.reset();
    edges_.reset();
    fd_ = std::move(other.fd_);
    edges_ = std::move(other.edges_);
    in_ = std::move(other.in_);
    begin_ = other.begin_;
    out_ = std::move(other.out_);
    waited_ = other.waited_;
    octets_in_ = other.octets_in_;
    octets_out_ = other.octets_out_;
    ssl_ = std::move(other.ssl_);
    tls_ = std::move(other.tls_);
    over_ = std::move(other.over_);
    peer_ = other.peer_;
  }
  return *this;
}
// The event must leave epoll before its descriptor is closed.
Stream::~Stream() {
  ssl_.reset();
  edges_.reset();
}

Task<Stream> Stream::connect(Endpoint to, Deadline deadline) {
  sockaddr_storage address{};
  auto length = to_sockaddr(to, address);
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw Closed(std::string("socket: ") + std::strerror(errno));
  int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int result = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length);
  if (result != 0 && errno != EINPROGRESS) throw Closed("connect to " + to.to_string() + ": " + std::strerror(errno));
  Stream stream(std::move(fd), to);
  if (result != 0) {
    bool ready = co_await stream.edges_->write.wait(deadline);
    if (!ready) throw TimedOut();
    int failure = 0;
    socklen_t size = sizeof failure;
    getsockopt(stream.fd(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) throw Closed("connect to " + to.to_string() + ": " + std::strerror(failure));
  }
  co_return stream;
}

int Stream::try_read(std::span<char> into) {
  if (ssl_) return tls_read(into);
  for (;;) {
    auto got = ::read(fd_.get(), into.data(), into.size());
    if (got >= 0) return static_cast<int>(got);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return kWantRead;
    throw Closed(std::string("read: ") + std::strerror(errno));
  }
}

int Stream::try_write(std::string_view octets) {
  auto size = std::min<std::size_t>(octets.size(), 1 << 30);
  if (ssl_) return tls_write(octets.substr(0, size));
  for (;;) {
    auto sent = ::send(fd_.get(), octets.data(), size, MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<int>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return kWantWrite;
    throw Closed(std::string("write: ") + std::strerror(errno));
  }
}

// One attempt to get more into the buffer; the end of the input, however it came, is kept for fill() to throw.
Stream::Input Stream::take_in() {
  thread_local std::unique_ptr<char[]> scratch = std::make_unique_for_overwrite<char[]>(kScratch);
  if (!over_.empty()) return Input::over;
  int got = 0;
  try {
    got = try_read(std::span(scratch.get(), kScratch));
    if (got == 0) over_ = "peer closed";
  } catch (const Closed& closed) {
    over_ = closed.what();
  }
  if (!over_.empty()) return Input::over;
  if (got < 0) return got == kWantRead ? Input::not_yet : Input::not_before_output;
  if (begin_ > 0) {
    in_.erase(0, begin_);
    begin_ = 0;
  }
  in_.append(scratch.get(), static_cast<std::size_t>(got));
  octets_in_ += static_cast<std::uint64_t>(got);
  return Input::more;
}

Task<void> Stream::fill(Deadline deadline) {
  for (;;) {
    auto input = take_in();
    if (input == Input::over) throw Closed(over_);
    if (input == Input::more) {
      auto now = std::chrono::steady_clock::now();
      if (now > deadline) throw TimedOut();
      if (now - waited_ < kTurn) co_return;
      co_await sleep_until(now);
      waited_ = std::chrono::steady_clock::now();
      co_return;
    }
    bool ready = co_await edge_for(input).wait(deadline);
    waited_ = std::chrono::steady_clock::now();
    if (!ready) throw TimedOut();
  }
}

void Stream::consume(std::size_t octets) {
  CHECK(begin_ + octets <= in_.size());
  begin_ += octets;
  if (begin_ < in_.size()) return;
  begin_ = 0;
  in_.clear();
  if (in_.capacity() > kKeepBuffer) in_.shrink_to_fit();
}

Task<Line> Stream::read_line(std::size_t limit, Deadline deadline) {
  Line line;
  std::size_t scanned = 0;
  for (;;) {
    auto have = buffered();
    auto end = have.find('\n', scanned);
    if (end != std::string_view::npos) {
      auto text = have.substr(0, end);
      line.crlf = !text.empty() && text.back() == '\r';
      if (line.crlf) text.remove_suffix(1);
      if (line.too_long || text.size() > limit) {
        line.too_long = true;
        line.text.append(text.substr(0, limit - std::min(limit, line.text.size())));
      } else {
        line.text = text;
      }
      consume(end + 1);
      co_return line;
    }
    scanned = have.size();
    if (have.size() > limit + 1) {
      // Keep the last octet: it may be the CR of the line end.
      line.text.append(have.substr(0, limit - std::min(limit, line.text.size())));
      line.too_long = true;
      consume(have.size() - 1);
      scanned = 1;
    }
    co_await fill(deadline);
  }
}

Task<std::string> Stream::read_exact(std::size_t octets, Deadline deadline) {
  std::string out;
  for (;;) {
    auto have = buffered().substr(0, octets - out.size());
    out += have;
    consume(have.size());
    if (out.size() == octets) co_return out;
    co_await fill(deadline);
  }
}

Task<bool> Stream::readable(Deadline deadline) {
  for (;;) {
    if (!buffered().empty()) co_return true;
    auto input = take_in();
    if (input == Input::more || input == Input::over) co_return true;
    bool ready = co_await edge_for(input).wait(deadline);
    if (!ready) co_return false;
  }
}

// Resumed by whatever comes first.  The signals stay linked over all rounds of a listen(): one that is notified
// while input comes that is no octet, such as half a TLS record, must still be heard.
struct Stream::Listening {
  Signal::Wait first;
  std::optional<Signal::Wait> second;
  std::optional<Edge::Wait> input;
  bool linked = false;

  Listening(Signal& a, Signal* b) : first(a, Deadline::max()) {
    if (b != nullptr) second.emplace(*b, Deadline::max());
  }
  void for_input(Edge& edge, Deadline deadline) { input.emplace(edge, deadline); }
  bool await_ready() const noexcept { return first.woken() || (second && second->woken()); }
  void await_suspend(std::coroutine_handle<> waiter) {
    input->await_suspend(waiter);
    if (std::exchange(linked, true)) return;
    first.await_suspend(waiter);
    if (second) second->await_suspend(waiter);
  }
  Heard await_resume() {
    input->disarm();
    if (first.woken()) return Heard::signal;
    if (second && second->woken()) return Heard::other;
    return input->fired() ? Heard::input : Heard::nothing;
  }
};

Task<Heard> Stream::listen(Deadline deadline, Signal& signal, Signal* other) {
  Listening listening(signal, other);
  for (;;) {
    auto input = take_in();
    if (input == Input::over) throw Closed(over_);
    if (input == Input::more) {
      auto now = std::chrono::steady_clock::now();
      if (now > deadline) co_return Heard::nothing;
      if (now - waited_ < kTurn) co_return Heard::input;
      co_await sleep_until(now);
      waited_ = std::chrono::steady_clock::now();
      co_return Heard::input;
    }
    listening.for_input(edge_for(input), deadline);
    auto heard = co_await listening;
    waited_ = std::chrono::steady_clock::now();
    if (heard != Heard::input) co_return heard;
  }
}

bool Stream::is_quiet() const {
  int unread = 0;
  return buffered().empty() && ::ioctl(fd_.get(), FIONREAD, &unread) == 0 && unread == 0;
}

bool Stream::is_idle() const {
  char octet = 0;
  return over_.empty() && buffered().empty() && ::recv(fd_.get(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

Edge& Stream::edge_for(Input input) { return input == Input::not_before_output ? edges_->write : edges_->read; }
Edge& Stream::edge_for(int want) { return want == kWantWrite ? edges_->write : edges_->read; }

Task<void> Stream::write_all(std::string_view octets, Deadline deadline) {
  while (!octets.empty()) {
    int sent = try_write(octets);
    if (sent > 0) {
      octets.remove_prefix(static_cast<std::size_t>(sent));
      octets_out_ += static_cast<std::uint64_t>(sent);
      continue;
    }
    bool ready = co_await edge_for(sent).wait(deadline);
    if (!ready) throw TimedOut();
  }
}

Task<void> Stream::write(std::string_view octets, Deadline deadline) {
  constexpr std::size_t kJoin = 16 * 1024;
  if (!out_.empty() && octets.size() <= kJoin) {
    out_ += octets;
    octets = {};
  }
  co_await flush(deadline);
  co_await write_all(octets, deadline);
}

Task<void> Stream::flush(Deadline deadline) {
  if (out_.empty()) co_return;
  std::string sending = std::exchange(out_, {});
  co_await write_all(sending, deadline);
}

Task<void> Stream::shutdown(Deadline deadline) {
  try {
    co_await flush(deadline);
    if (ssl_) tls_end();
    ::shutdown(fd_.get(), SHUT_WR);
    // Read until the peer's end: closing with unread input would send RST and destroy our last reply.
    Deadline until = std::min(deadline, in(std::chrono::seconds(1)));
    char scrap[4096];
    for (int rounds = 0; rounds < 64; ++rounds) {
      auto got = ::recv(fd_.get(), scrap, sizeof scrap, MSG_DONTWAIT);
      if (got > 0) continue;
      if (got == 0 || (errno != EAGAIN && errno != EINTR)) break;
      bool ready = co_await edges_->read.wait(until);
      if (!ready) break;
    }
  } catch (const Closed&) {  // an end is what was wanted
  } catch (const TimedOut&) {
  }
}

Endpoint Stream::local() const { return local_of(fd_.get()); }

}  // namespace postern::io
