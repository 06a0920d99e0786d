// c-ares on our loop.  Only ares_send is used: packets are made and read by packet.cc, c-ares does sockets, tries,
// servers and TCP.
#include "gateway/dns/cares_channel.h"

#include <ares.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "gateway/base/check.h"
#include "gateway/dns/packet.h"

namespace postern::dns {
namespace {

// How often c-ares looks for tries that ran out.  Fixed, since ares_timeout() walks all questions under way.
constexpr std::chrono::milliseconds kTick{50};
constexpr int kTries = 2;
constexpr std::size_t kMaxYoung = 128;
// A question unanswered for so long does not hold up others: its server is slow, the buffers are not full.
constexpr std::chrono::milliseconds kYoung{150};

std::vector<ares_addr_port_node> nodes_of(const std::vector<Endpoint>& servers) {
  std::vector<ares_addr_port_node> nodes;
  for (const auto& server : servers) {
    ares_addr_port_node node{};
    node.family = server.address.is_v4() ? AF_INET : AF_INET6;
    auto octets = server.address.octets();
    std::memcpy(&node.addr, octets.data(), octets.size());
    node.udp_port = node.tcp_port = server.port;
    nodes.push_back(node);
  }
  return nodes;
}

// What c-ares read from /etc/resolv.conf.
std::vector<ares_addr_port_node> nodes_of(ares_channel channel) {
  std::vector<ares_addr_port_node> nodes;
  ares_addr_port_node* head = nullptr;
  if (ares_get_servers_ports(channel, &head) != ARES_SUCCESS) return nodes;
  for (auto* node = head; node != nullptr; node = node->next) nodes.push_back(*node);
  ares_free_data(head);
  return nodes;
}

void set_servers(ares_channel channel, const std::vector<Endpoint>& servers, std::size_t first) {
  auto nodes = servers.empty() ? nodes_of(channel) : nodes_of(servers);
  if (nodes.empty()) return;
  std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(first % nodes.size()), nodes.end());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
  CHECK(ares_set_servers_ports(channel, nodes.data()) == ARES_SUCCESS);
}

}  // namespace

struct CaresChannel::Sent {
  CaresChannel& channel;
  Done done;
  Deadline at;
  std::optional<std::list<Sent*>::iterator> young;
};

CaresChannel::CaresChannel(io::Loop& loop, const CaresConfig& config, bool tcp_only, std::size_t first) : loop_(loop), timer_(loop, *this) {
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  CHECK(initialised == ARES_SUCCESS);
  ares_options options{};
  // Without NOCHECKRESP a server's SERVFAIL or REFUSED makes c-ares ask the next one.  With EDNS answers above 512
  // octets are taken over UDP, and a server that answers FORMERR is asked without.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_STAYOPEN | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS | (tcp_only ? ARES_FLAG_USEVC : 0);
  // The second round waits twice as long: together three quarters of the whole time with one server.
  options.timeout = static_cast<int>(std::max<std::int64_t>(20, config.timeout.count() / 4));
  options.tries = kTries;
  options.ednspsz = kUdpPayload;
  options.sock_state_cb = socket_changed;
  options.sock_state_cb_data = this;
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
  CHECK(ares_init_options(&channel_, &options, mask) == ARES_SUCCESS);
  set_servers(channel_, config.servers, first);
}

CaresChannel::~CaresChannel() {
  closing_ = true;
  ares_destroy(channel_);
}

void CaresChannel::send(std::string packet, Wanted wanted, Done done) {
  ++sent_;
  ++pending_;
  queued_.push_back({std::move(packet), std::move(wanted), std::move(done)});
  pump();
  if (pending_ > 0 && !timer_.is_set()) timer_.set(kTick);
}

// Where a socket cannot be written to, c-ares ends the question before ares_send returns.  What ended() asks for then is
// done by the pump that is running; one within the other would nest once for each question in the queue.
void CaresChannel::pump() {
  if (pumping_) return;
  pumping_ = true;
  while (!queued_.empty() && young_.size() < kMaxYoung) {
    auto question = std::move(queued_.front());
    queued_.pop_front();
    if (question.wanted()) {
      transmit(question.packet, std::move(question.done));
    } else {
      --pending_;
      question.done(Delivery::unanswered, {});
    }
  }
  pumping_ = false;
}

void CaresChannel::transmit(const std::string& packet, Done done) {
  auto* sent = new Sent{*this, std::move(done), std::chrono::steady_clock::now(), std::nullopt};  // c-ares' until ended(), which it always calls
  young_.push_back(sent);
  sent->young = std::prev(young_.end());
  ares_send(channel_, reinterpret_cast<const unsigned char*>(packet.data()), static_cast<int>(packet.size()), ended, sent);
}

void CaresChannel::ended(void* argument, int status, int timeouts, unsigned char* packet, int length) {
  std::unique_ptr<Sent> sent(static_cast<Sent*>(argument));
  auto& self = sent->channel;
  --self.pending_;
  if (sent->young) self.young_.erase(*sent->young);
  if (self.closing_) return;
  self.late_ = timeouts > 0 ? self.late_ + 1 : 0;
  if (status == ARES_SUCCESS && packet != nullptr) {
    sent->done(Delivery::answered, {reinterpret_cast<const char*>(packet), static_cast<std::size_t>(length)});
  } else {
    // All servers answered SERVFAIL or REFUSED, or could not be reached: c-ares says ECONNREFUSED.
    sent->done(status == ARES_ETIMEOUT ? Delivery::unanswered : Delivery::refused, {});
  }
  self.pump();
}

void CaresChannel::socket_changed(void* self, int fd, int readable, int writable) {
  auto* channel = static_cast<CaresChannel*>(self);
  if (readable == 0 && writable == 0) {
    channel->watches_.erase(fd);
    return;
  }
  auto& watch = channel->watches_[fd];
  io::FdListener& listener = *channel;  // make_unique may not see the private base
  if (watch == nullptr) watch = std::make_unique<io::FdWatch>(channel->loop_, fd, listener);
  watch->want(readable != 0, writable != 0);
}

void CaresChannel::on_ready(int fd, bool readable, bool writable) {
  ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
}

void CaresChannel::on_timer() {
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  auto old = std::chrono::steady_clock::now() - kYoung;
  while (!young_.empty() && young_.front()->at < old) {
    young_.front()->young.reset();
    young_.pop_front();
  }
  pump();
  if (pending_ > 0) timer_.set(kTick);
}

}  // namespace postern::dns
