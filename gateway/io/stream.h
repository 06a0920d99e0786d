#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/io/task.h"
#include "gateway/io/tls.h"

namespace postern::io {

class Edge;
class Signal;

// What ended a wait: input, one of two signals, or the deadline.
enum class Heard { input, signal, other, nothing };

// One line as it came: whether CRLF ended it or a bare LF, and whether a bare CR lies inside.
struct Line {
  std::string text;             // without its line end
  bool crlf = true;             // false: ended by a bare LF
  bool too_long = false;        // more than `limit` octets: text holds the first `limit`, the rest was dropped
};

// A connected socket, plaintext or TLS, with a read buffer.
//
// One task reads and one task writes at a time.  Every wait throws TimedOut at its deadline and
// Closed when the connection is over.  A suspended write is the back-pressure.  An idle stream
// holds no buffer.  The destructor closes without TLS shutdown; call shutdown() for a clean end.
class Stream {
 public:
  // Takes over a connected, non-blocking socket.
  explicit Stream(Fd socket);
  Stream(Fd socket, Endpoint peer);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  static Task<Stream> connect(Endpoint to, Deadline deadline);

  // --- reading
  // Waits for at least one more octet in buffered().  A peer that is faster than we are does not keep the loop: now
  // and then the others get their turn, and the deadline ends it too.
  Task<void> fill(Deadline deadline);
  std::string_view buffered() const { return std::string_view(in_).substr(begin_); }
  void consume(std::size_t octets);
  // Up to and with the line end; at most `limit` octets of text are kept, longer lines are read to
  // their end and marked.
  Task<Line> read_line(std::size_t limit, Deadline deadline);
  Task<std::string> read_exact(std::size_t octets, Deadline deadline);
  // True as soon as something is in buffered(), or the input has ended, which fill() then throws; false at the
  // deadline: for early talkers.
  Task<bool> readable(Deadline deadline);
  // fill(), but also until `signal` or `other` (which may be null) is notified, and the deadline is an answer.
  // Both must outlive the task.
  Task<Heard> listen(Deadline deadline, Signal& signal, Signal* other = nullptr);
  // Nothing of the peer's lies unread, neither here nor in the kernel: closing sends no RST.
  bool is_quiet() const;
  // The same, and the peer has not closed either: a kept connection can be used again.
  bool is_idle() const;
  // Is there a whole line in the buffer already (pipelining)?
  bool has_line() const { return buffered().find('\n') != std::string_view::npos; }

  // --- writing
  // Sends all of `octets`, after what enqueue() left.  `octets` must stay alive until then.
  Task<void> write(std::string_view octets, Deadline deadline);
  // Keeps octets for the next write() or flush(); for replies to pipelined commands.
  void enqueue(std::string_view octets) { out_ += octets; }
  std::size_t enqueued() const { return out_.size(); }
  Task<void> flush(Deadline deadline);

  // --- TLS
  // Server side of the handshake.  What the peer sent before it in plaintext is dropped first
  // (RFC 3207 4.2, RFC 9051 6.2.1: a command injected behind STARTTLS must not be obeyed).
  Task<void> start_tls(std::shared_ptr<const TlsContext> context, Deadline deadline);
  // Client side; throws HandshakeFailed where the handshake fails.  `host` for SNI, and checked against the certificate
  // if the context verifies.
  Task<void> connect_tls(std::shared_ptr<const TlsContext> context, std::string host, Deadline deadline);
  Task<void> connect_tls(std::shared_ptr<const TlsContext> context, PeerCheck peer, Deadline deadline);
  // Of a connection that we opened with TLS, where the certificate was looked at.
  CertificateFault certificate_fault() const;
  bool is_tls() const;
  TlsInfo tls_info() const;

  // Sends what is enqueued, TLS close_notify and FIN; ignores errors, waits at most to the deadline.
  Task<void> shutdown(Deadline deadline);

  Endpoint peer() const { return peer_; }
  Endpoint local() const;
  int fd() const { return fd_.get(); }
  std::uint64_t octets_in() const { return octets_in_; }
  std::uint64_t octets_out() const { return octets_out_; }

 private:
  struct Edges;
  struct Listening;
  enum class Input { more, over, not_yet, not_before_output };
  static constexpr int kWantRead = -1, kWantWrite = -2;
  // One non-blocking attempt: >0 octets done, 0 end of file, kWantRead, kWantWrite; throws Closed.
  int try_read(std::span<char> into);
  int try_write(std::string_view octets);
  // stream_tls.cc
  int tls_read(std::span<char> into);
  int tls_write(std::string_view octets);
  int tls_result(int result, const char* doing);
  void tls_end();
  Task<void> write_all(std::string_view octets, Deadline deadline);
  Task<void> handshake(Deadline deadline);
  Input take_in();
  Edge& edge_for(Input input);
  Edge& edge_for(int want);

  Fd fd_;
  std::unique_ptr<Edges> edges_;   // leave epoll before the descriptor is closed
  std::string in_;
  std::size_t begin_ = 0;
  std::string out_;
  std::uint64_t octets_in_ = 0;
  std::uint64_t octets_out_ = 0;
  struct SslFree {
    void operator()(void* ssl) const;
  };
  std::unique_ptr<void, SslFree> ssl_;
  std::shared_ptr<const TlsContext> tls_;
  std::string over_;   // why there is no more input
  std::chrono::steady_clock::time_point waited_ = std::chrono::steady_clock::now();   // when it last let others run
  Endpoint peer_;
};

}  // namespace postern::io
