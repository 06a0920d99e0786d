#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "gateway/smtp_client/connection.h"

namespace postern::smtp_client {

// One message under way, or one probe; for transaction.cc and body.cc.
//
// Its commands are numbered: 0 RSET (of what was left behind), 1 MAIL, 2... a RCPT each, then DATA, or RSET for a
// probe; nothing there when the message goes by BDAT.
struct Connection::Transaction {
  enum class Purpose { data, bdat, probe };

  Transaction(const Envelope& e, std::span<const std::string_view> b, Purpose p);

  // What can be said without asking: decides who gets a RCPT.
  void choose(const Extensions& offered);

  std::size_t commands() const { return 2 + named.size() + (purpose == Purpose::bdat ? 0 : 1); }
  Step step_at(std::size_t position) const;
  // Nothing that stands from `position` on is worth saying.
  bool is_hopeless(std::size_t position) const;
  // The outcome of everybody whose fate is open.
  void settle(const Outcome& outcome);

  const Envelope& envelope;
  std::span<const std::string_view> body;
  Purpose purpose;
  std::uint64_t octets = 0;
  bool utf8 = false;

  std::vector<Outcome> outcomes;        // of all recipients of the envelope
  std::vector<std::size_t> named;       // those who get a RCPT
  std::size_t answered = 0;             // of these: so many RCPTs were answered
  std::vector<std::size_t> accepted;    // by RCPT
  std::size_t finished = 0;             // of these: so many outcomes are final
  bool mail_refused = false;
  bool full = false;                    // the remote takes no more recipients
  bool go_ahead = false;                // 354
  bool handed_over = false;             // the message and its end
};

}  // namespace postern::smtp_client
