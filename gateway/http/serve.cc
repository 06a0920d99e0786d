// One request, one answer, and an end that lets the other side read it.
#include "gateway/http/serve.h"

#include "gateway/io/errors.h"
#include "gateway/io/loop.h"

namespace postern::http {
namespace {

using namespace std::chrono_literals;

// Waits for the whole of a request.  Its status says whether it came.
io::Task<Head> read_request(io::Stream& stream, std::size_t max_body, Deadline deadline) {
  Head head;
  std::size_t end = std::string_view::npos;
  while (end == std::string_view::npos) {
    auto so_far = stream.buffered();
    end = so_far.find("\r\n\r\n");
    bool too_long = end == std::string_view::npos ? so_far.size() > kMaxHead : end + 4 > kMaxHead;
    if (too_long) head.status = 431;
    if (too_long) co_return head;
    if (end == std::string_view::npos) co_await stream.fill(deadline);
  }
  head = parse_head(stream.buffered().substr(0, end + 4));
  stream.consume(end + 4);
  if (head.status == 200 && head.length > max_body) head.status = 413;
  if (head.status != 200) co_return head;
  head.request.body = co_await stream.read_exact(head.length, deadline);
  co_return head;
}

// What is still on its way when we close would make the kernel send RST, and that can overtake our answer.
io::Task<void> drain(io::Stream& stream) {
  constexpr std::size_t kMost = 256 * 1024;
  auto deadline = in(1s);
  try {
    for (std::size_t octets = 0; octets < kMost;) {
      co_await stream.fill(deadline);
      octets += stream.buffered().size();
      stream.consume(stream.buffered().size());
    }
  } catch (const io::Closed&) {   // as it should be
  } catch (const io::TimedOut&) {
  }
}

}  // namespace

io::Task<void> serve_one(io::Stream& stream, Handle handle, ServeLimits limits, std::function<Answer(Answer)> dress) {
  Head head;
  bool late = false;
  try {
    head = co_await read_request(stream, limits.body, in(limits.request));
  } catch (const io::TimedOut&) {
    late = true;
  }
  Answer answer;
  if (late) answer = refusal(408);
  else if (head.status != 200) answer = refusal(head.status);
  bool refused = late || head.status != 200;
  bool without_body = head.request.method == "HEAD";
  if (!refused) answer = co_await handle(std::move(head.request));
  if (refused && dress) answer = dress(std::move(answer));
  std::string octets = wire(answer, without_body);
  co_await stream.write(octets, in(limits.answer));
  co_await stream.shutdown(in(1s));
  bool unread = refused || !stream.is_quiet();
  if (unread) co_await drain(stream);
}

}  // namespace postern::http
