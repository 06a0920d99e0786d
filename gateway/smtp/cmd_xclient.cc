// XCLIENT and XFORWARD: a trusted proxy, relay or test says who the client really is.  Attributes as Postfix
// documents them, values in xtext, [UNAVAILABLE] and [TEMPUNAVAIL].
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

bool unavailable(std::string_view value) { return iequals(value, "[UNAVAILABLE]") || iequals(value, "[TEMPUNAVAIL]"); }

// Sets one attribute; an Error says why not.
Status set_attribute(Client& client, std::string_view key, std::string_view value) {
  if (iequals(key, "ADDR")) {
    client.known = !unavailable(value);
    if (!client.known) return {};
    auto text = istarts_with(value, "IPV6:") ? value.substr(5) : value;
    auto address = IpAddress::parse(text);
    if (!address) return Error("ADDR is no address");
    client.ip = *address;
  } else if (iequals(key, "PORT")) {
    auto port = parse_number(value);
    if (!unavailable(value) && (!port || *port > 65535)) return Error("PORT is no port");
    client.port = port ? static_cast<std::uint16_t>(*port) : 0;
  } else if (iequals(key, "HELO")) {
    client.helo = unavailable(value) ? "" : printable(value, 255);
  } else if (iequals(key, "LOGIN")) {
    client.login = unavailable(value) ? "" : printable(value, 320);
  } else if (iequals(key, "PROTO")) {
    if (!unavailable(value) && !iequals(value, "SMTP") && !iequals(value, "ESMTP")) return Error("PROTO is SMTP or ESMTP");
    client.esmtp = iequals(value, "ESMTP");
  } else if (!iequals(key, "NAME") && !iequals(key, "DESTADDR") && !iequals(key, "DESTPORT")) {
    // NAME is taken and not believed: the forward-confirmed name is looked up when a rule asks.
    return Error("Attribute " + printable(key, 40) + " is not known");
  }
  return {};
}

// What only XFORWARD has.
Status set_forwarded(Client& client, std::string_view key, std::string_view value) {
  if (iequals(key, "LOGIN")) return Error("LOGIN is no attribute of XFORWARD");
  if (iequals(key, "IDENT")) return {};   // the relay's queue id: its own log has it
  if (iequals(key, "SOURCE")) {
    client.trusted = iequals(value, "LOCAL");
    return {};
  }
  return set_attribute(client, key, value);
}

using SetAttribute = Status(Client&, std::string_view, std::string_view);

Status take_attributes(Client& client, std::string_view argument, SetAttribute& set_one) {
  auto attributes = words(argument);
  if (attributes.empty()) return Error("Attributes are missing: attribute=value ...");
  for (auto attribute : attributes) {
    auto equals = attribute.find('=');
    if (equals == std::string_view::npos) return Error("It takes attribute=value");
    auto value = decode_xtext(attribute.substr(equals + 1));
    if (!value) return Error("The value is no xtext");
    auto set = set_one(client, attribute.substr(0, equals), *value);
    if (!set) return set;
  }
  return {};
}

}  // namespace

io::Task<Reply> Session::cmd_xclient(std::string argument) {
  if (transaction_) co_return reply::bad_sequence("A message is under way");
  Client client = client_;
  if (ifind(" " + argument, " ADDR=") != std::string_view::npos) {   // another client: nothing of the one before is his
    client.ip = connected_from_;
    client.port = 0;
    client.login.clear();
  }
  auto taken = take_attributes(client, argument, set_attribute);
  if (!taken) co_return reply::syntax(taken.error().text);
  client_ = std::move(client);
  client_.trusted = client_.known && any_contains(settings_->trusted, client_.ip);
  log::info("smtp.xclient", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"helo", client_.helo}});
  std::string refusal;
  place_ = {};
  place_ = services_.limits->enter(client_.ip, refusal);
  if (!place_) co_return Reply(421, "4.7.0", refusal).then_close();
  // The session begins anew, stage connect included.
  forget_transaction();
  examination_ = services_.judge->examine();
  auto door = co_await examination_->on_connect(client_);
  if (door.refuses()) {
    refusal_ = door;
    auto answer = at_the_door(door).then_close();
    trace_refused("connect", answer);
    co_return answer;
  }
  co_return greeting();
}

// Names the client of the next transaction, in one line or several; the right to it is the relay's, and so is the session.
Reply Session::cmd_xforward(const std::string& argument) {
  if (transaction_) return reply::bad_sequence("A message is under way");
  Client named;
  named.session = client_.session;
  named.lmtp = client_.lmtp;
  named.ip = client_.ip;
  named.known = false;   // until ADDR says more
  if (forwarded_) named = *forwarded_;
  auto taken = take_attributes(named, argument, set_forwarded);
  if (!taken) return reply::syntax(taken.error().text);
  forwarded_ = std::move(named);
  examination_.reset();   // stage connect waits for MAIL: it is to hear of the whole
  return reply::ok();
}

}  // namespace postern::smtp
