// The one place where a connection's end becomes a value: the caller has recipients to account for.
#include "gateway/smtp_client/trouble.h"

#include "gateway/io/errors.h"

namespace postern::smtp_client {

io::Task<std::optional<Outcome>> trouble_of(io::Task<void> work, const Step& step) {
  using Kind = Outcome::Kind;
  std::optional<Outcome> out;
  try {
    co_await work;
  } catch (const Ended& ended) {
    out = ended.outcome;
  } catch (const io::TimedOut&) {
    out = Outcome::ours(Kind::timed_out, step, step == Step::connect ? "4.4.1" : "4.4.2",
                        "no answer in time at " + std::string(step_name(step)));
  } catch (const io::Closed& closed) {
    // There was none to be lost: "connect to 192.0.2.1:25: Connection refused" says it all.
    if (step == Step::connect) out = Outcome::ours(Kind::lost, step, "4.4.1", closed.what());
    else out = Outcome::ours(Kind::lost, step, "4.4.2", "connection lost at " + std::string(step_name(step)) + ": " + closed.what());
  } catch (const ProtocolError& error) {
    out = Outcome::ours(Kind::protocol_error, step, "4.5.0",
                        "protocol error at " + std::string(step_name(step)) + ": " + error.what());
  }
  co_return out;
}

}  // namespace postern::smtp_client
