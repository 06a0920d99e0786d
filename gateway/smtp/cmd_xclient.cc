// XCLIENT: a trusted proxy or test says who the client really is.  Attributes as Postfix documents
// them: NAME ADDR PORT PROTO HELO LOGIN, values in xtext, [UNAVAILABLE] and [TEMPUNAVAIL].
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

bool unavailable(std::string_view value) { return iequals(value, "[UNAVAILABLE]") || iequals(value, "[TEMPUNAVAIL]"); }

// Sets one attribute; an Error says why not.
Status set_attribute(Client& client, std::string_view key, std::string_view value) {
  if (iequals(key, "ADDR")) {
    if (unavailable(value)) return {};
    auto text = istarts_with(value, "IPV6:") ? value.substr(5) : value;
    auto address = IpAddress::parse(text);
    if (!address) return Error("ADDR is no address");
    client.ip = *address;
  } else if (iequals(key, "PORT")) {
    auto port = parse_number(value);
    if (!unavailable(value) && (!port || *port > 65535)) return Error("PORT is no port");
    client.port = port ? static_cast<std::uint16_t>(*port) : 0;
  } else if (iequals(key, "HELO")) {
    client.helo = unavailable(value) ? "" : std::string(value);
  } else if (iequals(key, "LOGIN")) {
    client.login = unavailable(value) ? "" : std::string(value);
  } else if (iequals(key, "PROTO")) {
    if (!iequals(value, "SMTP") && !iequals(value, "ESMTP")) return Error("PROTO is SMTP or ESMTP");
    client.esmtp = iequals(value, "ESMTP");
  } else if (!iequals(key, "NAME") && !iequals(key, "DESTADDR") && !iequals(key, "DESTPORT")) {
    // NAME is taken and not believed: the forward-confirmed name is looked up when a rule asks.
    return Error("Attribute " + printable(key, 40) + " is not known");
  }
  return {};
}

}  // namespace

io::Task<Reply> Session::cmd_xclient(std::string argument) {
  if (transaction_) co_return reply::bad_sequence("A message is under way");
  auto attributes = words(argument);
  if (attributes.empty()) co_return reply::syntax("Syntax: XCLIENT attribute=value ...");
  Client client = client_;
  for (auto attribute : attributes) {
    auto equals = attribute.find('=');
    if (equals == std::string_view::npos) co_return reply::syntax("XCLIENT takes attribute=value");
    auto value = decode_xtext(attribute.substr(equals + 1));
    if (!value) co_return reply::syntax("XCLIENT value is no xtext");
    auto set = set_attribute(client, attribute.substr(0, equals), *value);
    if (!set) co_return reply::syntax(set.error().text);
  }
  client_ = std::move(client);
  client_.trusted = any_contains(settings_->trusted, client_.ip);
  log::info("smtp.xclient", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"helo", client_.helo}});
  std::string refusal;
  place_ = {};
  place_ = services_.limits->enter(client_.ip, refusal);
  if (!place_) co_return Reply(421, "4.7.0", refusal).then_close();
  // The session begins anew, stage connect included.
  forget_transaction();
  examination_ = services_.judge->examine();
  auto door = co_await examination_->on_connect(client_);
  if (door.refuses()) co_return Reply(at_the_door(door)).then_close();
  co_return greeting();
}

}  // namespace postern::smtp
