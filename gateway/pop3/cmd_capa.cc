// CAPA.  RFC 2449.
#include "gateway/pop3/session.h"

namespace postern::pop3 {

// UTF8 (RFC 6856) is left out: it wants downgraded messages for clients that do not ask for it.
std::string Session::capabilities() const {
  bool before_login = state_ == State::authorization;
  std::string out = "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n";
  if (may_send_password()) out += "USER\r\nSASL PLAIN\r\n";
  if (before_login && !stream_.is_tls() && services_.tls() != nullptr) out += "STLS\r\n";
  out += "IMPLEMENTATION Postern\r\n";
  return out;
}

}  // namespace postern::pop3
