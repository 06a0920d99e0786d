// Who may ask for a page behind a link, and how it gets to him.
#include "gateway/links_port.h"

#include "gateway/base/log.h"
#include "gateway/http/serve.h"
#include "gateway/links/password_page.h"
#include "gateway/links/release_page.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostOpen = 1000;   // a dozen networks at their limit

// An office behind NAT opens its digests in the same five minutes.
smtp::LimitSettings visitors() {
  smtp::LimitSettings out;
  out.connections_per_address = 30;
  out.connections_per_network = 100;
  out.connection_rate_per_address = {600, 60s};
  return out;
}

// Nobody guesses 120 bits; who tries fills the log, and mistypes are few.
smtp::LimitSettings guesses() {
  smtp::LimitSettings out;
  out.error_rate_per_address = {30, 600s};
  out.error_rate_per_network = {200, 600s};
  return out;
}

}  // namespace

LinksPort::LinksPort(Shared& shared)
    : shared_(shared), secure_(shared.config.public_url.starts_with("https:")), limits_(visitors()), wrong_(guesses()),
      site_({shared.link_keys, shared.config, [this](const IpAddress& client) { return wrong_.error(client); }}) {
  site_.add(std::make_unique<links::ReleasePage>(*shared.releases, shared.config));
  site_.add(std::make_unique<links::PasswordPage>(*shared.store, shared.workers, shared.config));
}

void LinksPort::start(std::vector<io::Fd> sockets) {
  for (auto& socket : sockets) shared_.main.spawn(accept_all(io::Listener(std::move(socket))), "links");
}

io::Task<void> LinksPort::accept_all(io::Listener listener) {
  for (;;) {
    auto stream = co_await listener.accept();
    auto client = stream.peer().address;
    std::string why;
    auto place = limits_.enter(client, why);
    if (why.empty() && open_ >= kMostOpen) why = "too many connections altogether";
    if (!why.empty()) {
      log::info("link.refused", {{"ip", client.to_string()}, {"why", why}});
      continue;
    }
    ++open_;
    shared_.main.spawn(serve_one(std::move(stream), std::move(place)), "links", [this] { --open_; });
  }
}

io::Task<void> LinksPort::serve_one(io::Stream stream, smtp::ConnectionLimits::Place place) {
  static_cast<void>(place);   // taken up until the visitor has gone
  auto client = stream.peer().address;
  if (secure_) co_await stream.start_tls(shared_.tls.get(), in(10s));
  http::ServeLimits limits;
  limits.body = links::Site::kMaxBody;
  http::Handle handle = [this, client](http::Request request) { return site_.answer(std::move(request), client); };
  auto dress = [this](http::Answer refusal) { return site_.dressed(std::move(refusal)); };
  std::function<http::Answer(http::Answer)> dresser = dress;
  co_await http::serve_one(stream, std::move(handle), limits, std::move(dresser));
}

}  // namespace postern
