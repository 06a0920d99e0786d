// libldap, and nothing else of the program knows it.  RFC 4511, RFC 4513.
#include "gateway/directory/ldap_connection.h"

#include <lber.h>
#include <ldap.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/text.h"

namespace postern::directory {
namespace {

using Kind = LdapOutcome::Kind;

constexpr ber_len_t kMaxAnswer = 1U << 20;   // one message of the server; we ask for names alone
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

timeval time_of(config::Milliseconds span) {
  timeval out{};
  out.tv_sec = span.count() / 1000;
  out.tv_usec = (span.count() % 1000) * 1000;
  return out;
}

LdapOutcome made(Kind kind, std::string words) {
  LdapOutcome out;
  out.kind = kind;
  out.words = std::move(words);
  return out;
}

// The connection is worth nothing any more, or the server says that it cannot serve now.
bool is_down(int code) {
  switch (code) {
    case LDAP_SERVER_DOWN:
    case LDAP_TIMEOUT:
    case LDAP_CONNECT_ERROR:
    case LDAP_DECODING_ERROR:
    case LDAP_LOCAL_ERROR:
    case LDAP_NO_MEMORY:
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE: return true;
    default: return false;
  }
}

// 49 is for a wrong password and, in Active Directory, for all that keeps a user out; 53 and 19 are what other servers say
// of accounts that are locked or switched off; 48 is an entry without a password, 50 one that may not log in.
bool is_refusal(int code) {
  return code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH || code == LDAP_UNWILLING_TO_PERFORM || code == LDAP_CONSTRAINT_VIOLATION ||
         code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX || code == LDAP_INSUFFICIENT_ACCESS;
}

// A layer under TLS that ends all waiting for octets, in a handshake as in a search.  The library's own times do not hold
// there: over a server that takes the connection and says nothing it spins in the handshake for ever.
struct Wire {
  explicit Wire(config::Milliseconds each) : patience(each) {}
  void begin() { until = in(patience); }
  config::Milliseconds patience;
  Deadline until{};
  ldap_conncb callback{};
};

constexpr int kBetweenTcpAndTls = LBER_SBIOD_LEVEL_PROVIDER + 1;
constexpr int kBegin = 0x7057;   // of our layer: the next step begins

int set_up(Sockbuf_IO_Desc* desc, void* wire) {
  desc->sbiod_pvt = wire;
  return 0;
}

int control(Sockbuf_IO_Desc* desc, int option, void* value) {
  if (option != kBegin) return LBER_SBIOD_CTRL_NEXT(desc, option, value);
  static_cast<Wire*>(desc->sbiod_pvt)->begin();
  return 1;
}

bool is_ready(Sockbuf_IO_Desc* desc, short what) {
  auto left = static_cast<Wire*>(desc->sbiod_pvt)->until - std::chrono::steady_clock::now();
  pollfd one{};
  one.events = what;
  ber_sockbuf_ctrl(desc->sbiod_sb, LBER_SB_OPT_GET_FD, &one.fd);
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(wait, 0)));
  if (ready == 0) errno = ETIMEDOUT;
  return ready > 0;
}

ber_slen_t read_in_time(Sockbuf_IO_Desc* desc, void* into, ber_len_t size) {
  return is_ready(desc, POLLIN) ? LBER_SBIOD_READ_NEXT(desc, into, size) : -1;
}

ber_slen_t write_in_time(Sockbuf_IO_Desc* desc, void* from, ber_len_t size) {
  return is_ready(desc, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(desc, from, size) : -1;
}

Sockbuf_IO in_time{set_up, nullptr, control, read_in_time, write_in_time, nullptr};

// Called when the socket is connected, before anything is said over it.
int connected(LDAP*, Sockbuf* socket, LDAPURLDesc*, sockaddr*, ldap_conncb* callback) {
  static_cast<Wire*>(callback->lc_arg)->begin();
  ber_sockbuf_add_io(socket, &in_time, kBetweenTcpAndTls, callback->lc_arg);
  return 0;
}

// Without a socket: the handle goes, which owns the wire.
void disconnected(LDAP*, Sockbuf* socket, ldap_conncb* callback) {
  if (socket == nullptr) delete static_cast<Wire*>(callback->lc_arg);
}

Sockbuf* socket_of(LDAP* handle) {
  Sockbuf* out = nullptr;
  return ldap_get_option(handle, LDAP_OPT_SOCKBUF, &out) == LDAP_OPT_SUCCESS ? out : nullptr;
}

void begin_step(LDAP* handle) {
  if (auto* socket = socket_of(handle)) ber_sockbuf_ctrl(socket, kBegin, nullptr);
}

struct FreeMessage {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};

}  // namespace

void LdapConnection::Unbind::operator()(::ldap* handle) const { ldap_unbind_ext_s(handle, nullptr, nullptr); }

std::string LdapConnection::words_of(int code) const {
  std::string out = url_ + ": " + ldap_err2string(code);
  char* said = nullptr;
  if (handle_ && ldap_get_option(handle_.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, &said) == LDAP_OPT_SUCCESS && said != nullptr) {
    if (*said != '\0') out += ": " + printable(said);
    ldap_memfree(said);
  }
  return out;
}

LdapOutcome LdapConnection::outcome_of(int code) const {
  if (code == LDAP_SUCCESS) return made(Kind::done, "");
  return made(is_down(code) ? Kind::down : Kind::failed, words_of(code));
}

// Nothing to be done about what it does not take: it is asked for what every libldap has.
int LdapConnection::set_options() {
  auto* handle = handle_.get();
  auto set = [handle](int option, const void* value) { ldap_set_option(handle, option, value); };
  auto wait = time_of(settings_.timeout);
  int version = LDAP_VERSION3;
  int never = LDAP_DEREF_NEVER;
  int seconds = static_cast<int>(wait.tv_sec) + 1;
  set(LDAP_OPT_PROTOCOL_VERSION, &version);
  auto wire = std::make_unique<Wire>(settings_.timeout);
  wire->callback.lc_add = connected;
  wire->callback.lc_del = disconnected;
  wire->callback.lc_arg = wire.get();
  if (ldap_set_option(handle, LDAP_OPT_CONNECT_CB, &wire->callback) == LDAP_OPT_SUCCESS) wire.release();   // the handle's now
  set(LDAP_OPT_NETWORK_TIMEOUT, &wait);
  set(LDAP_OPT_TIMEOUT, &wait);
  set(LDAP_OPT_TIMELIMIT, &seconds);
  set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  set(LDAP_OPT_RESTART, LDAP_OPT_OFF);
  set(LDAP_OPT_DEREF, &never);
  if (settings_.tls == config::TlsUse::never) return LDAP_OPT_SUCCESS;
  int demand = settings_.tls == config::TlsUse::verify ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
  int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
  int as_client = 0;
  set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
  set(LDAP_OPT_X_TLS_PROTOCOL_MIN, &least);
  if (demand == LDAP_OPT_X_TLS_DEMAND) set(LDAP_OPT_X_TLS_CACERTFILE, settings_.ca_file.empty() ? kSystemAuthorities : settings_.ca_file.c_str());
  return ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &as_client);   // last: it takes what was set before
}

LdapOutcome LdapConnection::encrypt() {
  auto* handle = handle_.get();
  bool plain = url_.starts_with("ldap://");
  if (plain && settings_.tls == config::TlsUse::never) return outcome_of(ldap_connect(handle));
  auto out = outcome_of(plain ? ldap_start_tls_s(handle, nullptr, nullptr) : ldap_connect(handle));
  if (out.kind == Kind::done) return out;
  out.kind = Kind::down;   // a replica may have a better certificate
  // The library has no words for what it finds wrong with one.
  bool connected = out.words != url_ + ": " + ldap_err2string(LDAP_SERVER_DOWN);
  if (connected && settings_.tls == config::TlsUse::verify) out.words += " (with tls = \"verify\" its certificate must be valid for this name, by an authority that we trust)";
  return out;
}

LdapOutcome LdapConnection::open(bool as_ourselves) {
  std::string password;
  if (as_ourselves && !settings_.bind_dn.empty()) {
    auto secret = config::read_secret(settings_.password_file);
    if (!secret) return made(Kind::failed, secret.error().text);
    password = std::move(*secret);
  }
  ::ldap* handle = nullptr;
  int code = ldap_initialize(&handle, url_.c_str());
  if (code != LDAP_SUCCESS) return made(Kind::down, url_ + ": " + ldap_err2string(code));
  handle_.reset(handle);
  if (set_options() != LDAP_OPT_SUCCESS) {
    return made(Kind::failed, url_ + ": TLS cannot be had: is " + (settings_.ca_file.empty() ? kSystemAuthorities : settings_.ca_file) + " a file of certificates?");
  }
  auto encrypted = encrypt();
  if (encrypted.kind != Kind::done) return encrypted;
  ber_len_t most = kMaxAnswer;
  if (auto* socket = socket_of(handle)) ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &most);
  if (password.empty()) return made(Kind::done, "");
  auto bound = bind(settings_.bind_dn, password);
  if (bound.kind == Kind::refused) {
    bound.kind = Kind::failed;
    bound.words = "bind_dn or the password in " + settings_.password_file + " is refused: " + bound.words;
  }
  return bound;
}

LdapOutcome LdapConnection::search(const std::string& filter, int most) {
  char no_attributes[] = LDAP_NO_ATTRS;
  char* attributes[] = {no_attributes, nullptr};
  auto wait = time_of(settings_.timeout);
  begin_step(handle_.get());
  LDAPMessage* found = nullptr;
  int code = ldap_search_ext_s(handle_.get(), settings_.base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), attributes, 1, nullptr, nullptr, &wait, most, &found);
  std::unique_ptr<LDAPMessage, FreeMessage> holder(found);
  auto out = outcome_of(code);
  if (code == LDAP_NO_SUCH_OBJECT) out.words = "there is no base \"" + printable(settings_.base) + "\", or our bind_dn may not see it: " + out.words;
  if (code == LDAP_FILTER_ERROR) out.words = "the library takes this filter for none: " + printable(filter) + ": " + out.words;
  out.entries = found == nullptr ? 0 : static_cast<std::size_t>(std::max(0, ldap_count_entries(handle_.get(), found)));
  if (out.entries == 0) return out;
  // Some are enough to be sure, however many more there are.
  if (code == LDAP_SIZELIMIT_EXCEEDED) {
    out.kind = Kind::done;
    out.entries = std::max<std::size_t>(out.entries, 2);   // there is more than the server shows
  }
  char* dn = ldap_get_dn(handle_.get(), ldap_first_entry(handle_.get(), found));
  if (dn == nullptr) return made(Kind::failed, url_ + ": an entry without a name");
  out.dn = dn;
  ldap_memfree(dn);
  return out;
}

LdapOutcome LdapConnection::bind(const std::string& dn, const std::string& password) {
  CHECK(!dn.empty() && !password.empty());
  std::string octets = password;
  berval credentials{};
  credentials.bv_val = octets.data();
  credentials.bv_len = octets.size();
  begin_step(handle_.get());
  int code = ldap_sasl_bind_s(handle_.get(), dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
  auto out = outcome_of(code);
  if (is_refusal(code)) out.kind = Kind::refused;
  return out;
}

}  // namespace postern::directory
