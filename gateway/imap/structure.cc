// ENVELOPE and BODYSTRUCTURE from what the store keeps beside each message.  RFC 3501 7.4.2.
#include "gateway/imap/structure.h"

#include <optional>
#include <utility>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/imap/response.h"
#include "gateway/mail/address.h"

namespace postern::imap {
namespace {

using mail::EnvelopeView;
using mail::Part;

void append_address(std::string& out, const mail::HeaderAddress& address) {
  using Kind = mail::HeaderAddress::Kind;
  if (address.kind == Kind::group_end) {
    out += "(NIL NIL NIL NIL)";
    return;
  }
  if (address.kind == Kind::group_begin) {  // its name stands in the mailbox field
    out += "(NIL NIL ";
    append_string(out, address.name);
    out += " NIL)";
    return;
  }
  out += '(';
  if (address.name.empty()) {
    out += "NIL";
  } else {
    append_string(out, address.name);
  }
  out += " NIL ";
  append_string(out, address.local);
  out += ' ';
  // NIL would mean the end of a group.
  append_string(out, address.domain);
  out += ')';
}

void append_addresses(std::string& out, std::optional<std::string_view> field) {
  auto addresses = field ? mail::parse_address_list(*field) : std::vector<mail::HeaderAddress>();
  if (addresses.empty()) {
    out += "NIL";
    return;
  }
  out += '(';
  for (const auto& address : addresses) append_address(out, address);
  out += ')';
}

void append_parameters(std::string& out, const mail::Parameters& parameters) {
  if (parameters.raw().empty()) {
    out += "NIL";
    return;
  }
  out += '(';
  bool first = true;
  for (const auto& parameter : parameters.raw()) {
    if (!std::exchange(first, false)) out += ' ';
    append_string(out, parameter.name);
    out += ' ';
    append_string(out, parameter.value);
  }
  out += ')';
}

void append_optional(std::string& out, const std::string& text) {
  if (text.empty()) {
    out += "NIL";
  } else {
    append_string(out, text);
  }
}

// Disposition, language, location: the end of every extended form.
void append_extension(std::string& out, const Part& part) {
  out += ' ';
  if (part.disposition.kind.empty()) {
    out += "NIL";
  } else {
    out += '(';
    append_string(out, part.disposition.kind);
    out += ' ';
    append_parameters(out, part.disposition.parameters);
    out += ')';
  }
  out += ' ';
  append_optional(out, part.language);
  out += ' ';
  append_optional(out, part.location);
}

class StructureWriter {
 public:
  StructureWriter(std::string& out, const mail::PartTable& table, bool extended) : out_(out), table_(table), extended_(extended) {}

  // Depth is bounded by mail::kMaxDepth.
  void append(std::size_t index) {
    const Part& part = table_.parts[index];
    if (part.kind == Part::Kind::multipart) {
      append_multipart(index, part);
    } else {
      append_single(index, part);
    }
  }

 private:
  void append_multipart(std::size_t index, const Part& part) {
    out_ += '(';
    auto children = table_.children(index);
    for (auto child : children) append(child);
    // The grammar wants at least one body.
    if (children.empty()) out_ += "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)";
    out_ += ' ';
    append_string(out_, part.type.subtype);
    if (extended_) {
      out_ += ' ';
      append_parameters(out_, part.type.parameters);
      append_extension(out_, part);
    }
    out_ += ')';
  }

  void append_single(std::size_t index, const Part& part) {
    std::optional<std::size_t> message;
    if (part.kind == Part::Kind::message) {
      auto children = table_.children(index);
      if (!children.empty()) message = children.front();
    }
    out_ += '(';
    append_string(out_, part.type.type);
    out_ += ' ';
    // message/rfc822 without its envelope and body would break the grammar: an undecodable one is called otherwise.
    bool nameless = part.type.type == "message" && part.type.subtype == "rfc822" && !message;
    append_string(out_, nameless ? "octet-stream" : part.type.subtype);
    out_ += ' ';
    append_parameters(out_, part.type.parameters);
    out_ += ' ';
    append_optional(out_, part.id);
    out_ += ' ';
    append_optional(out_, part.description);
    out_ += ' ';
    append_string(out_, part.encoding_word.empty() ? "7bit" : part.encoding_word);
    out_ += ' ' + std::to_string(part.body_size());
    if (message && part.type.subtype == "rfc822") {
      out_ += ' ';
      auto envelope = EnvelopeView::read(table_.parts[*message].envelope);
      append_envelope(out_, envelope.value_or(EnvelopeView()));
      out_ += ' ';
      append(*message);
      out_ += ' ' + std::to_string(part.lines);
    } else if (part.type.type == "text") {
      out_ += ' ' + std::to_string(part.lines);
    }
    if (extended_) {
      out_ += ' ';
      append_optional(out_, part.md5);
      append_extension(out_, part);
    }
    out_ += ')';
  }

  std::string& out_;
  const mail::PartTable& table_;
  bool extended_;
};

}  // namespace

void append_envelope(std::string& out, const EnvelopeView& envelope) {
  auto from = envelope.get(EnvelopeView::from);
  out += '(';
  append_nstring(out, envelope.get(EnvelopeView::date));
  out += ' ';
  append_nstring(out, envelope.get(EnvelopeView::subject));
  for (auto field : {EnvelopeView::from, EnvelopeView::sender, EnvelopeView::reply_to, EnvelopeView::to, EnvelopeView::cc,
                     EnvelopeView::bcc}) {
    auto value = envelope.get(field);
    bool falls_back = field == EnvelopeView::sender || field == EnvelopeView::reply_to;
    if (falls_back && (!value || trimmed(*value).empty())) value = from;
    out += ' ';
    append_addresses(out, value);
  }
  out += ' ';
  append_nstring(out, envelope.get(EnvelopeView::in_reply_to));
  out += ' ';
  append_nstring(out, envelope.get(EnvelopeView::message_id));
  out += ')';
}

void append_body_structure(std::string& out, const mail::PartTable& table, bool extended) {
  StructureWriter(out, table, extended).append(0);
}

}  // namespace postern::imap
