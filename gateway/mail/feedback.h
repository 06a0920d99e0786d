#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What others report on a message that they got: RFC 5965 (a reader has complained), RFC 3464 (it could not be delivered).
namespace postern::mail {

// What the report says of one recipient of a delivery.  RFC 3464 2.3.
struct ReportedRecipient {
  std::string original;     // the address as the sender knew it, without its type; "": not said, or no mail address
  std::string final_one;    // the address that was tried in the end
  std::string action;       // lower case: "failed", "delayed", ...
  std::string status;       // RFC 3463: "5.1.1"; "": none
  std::string remote;       // the host that spoke
  std::string diagnostic;   // its words in one line
};

struct Feedback {
  enum class Kind { complaint, delivery };   // of report-type feedback-report, delivery-status
  Kind kind = Kind::delivery;

  // Of a complaint.
  std::string type;                       // Feedback-Type, lower case: "abuse", "fraud", "not-spam", ...
  std::vector<std::string> rcpt_to;       // Original-Rcpt-To
  std::string mail_from;                  // Original-Mail-From
  std::string source_ip;
  std::string arrival_date;
  std::vector<std::string> domains;       // Reported-Domain

  // Of a delivery.
  std::string reporting_mta;
  std::vector<ReportedRecipient> recipients;

  // Of the message that it is about, as it came back: "" where nothing did.  Line ends as they are.
  std::string header;
};

constexpr std::size_t kMaxReportRead = 1024 * 1024;    // octets of a report that are looked at
constexpr std::size_t kMaxReportHeader = 64 * 1024;    // of Feedback::header
constexpr std::size_t kMaxReported = 1000;             // recipients and domains
constexpr std::size_t kMaxReportValue = 1000;          // octets of each value

// Whether the Content-Type of the message is multipart/report: cheap, for every message that comes in.
bool is_report(std::string_view message);

// The Message-ID in this header in one line, as valid UTF-8 and cut: to be compared; "": none.
std::string message_id_of(std::string_view header);

// Nothing: it is no such report, or none that can be understood.  All values are valid UTF-8 in one line but `header`,
// which is octets, and nothing in them is proved.
std::optional<Feedback> parse_feedback(std::string_view message);

}  // namespace postern::mail
