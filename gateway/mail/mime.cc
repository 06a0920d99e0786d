// The MIME parser: walks over the lines once, keeps a stack of open parts, and notes offsets.  RFC 2046 5.1.
// Speed: what lies in no open multipart is not walked at all, its lines are counted in bulk.
#include "gateway/mail/mime.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxBoundary = 70;          // RFC 2046 5.1.1; longer ones count as long as the table has room
constexpr std::size_t kMaxSmallText = 1000;       // of Content-ID, Content-Description, ...
constexpr std::size_t kMaxTypeWord = 127;         // RFC 6838 4.2

std::uint32_t offset(std::size_t at) { return static_cast<std::uint32_t>(at); }

std::uint32_t count_lines(std::string_view text) {
  return static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n'));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { table_.size = offset(text.size()); }

  PartTable run() {
    begin_part(0, true, false);
    while (at_ < text_.size() && boundaries_ > 0) walk_line();
    lines_ += count_lines(text_.substr(at_));
    close_down_to(0, text_.size(), lines_);
    return std::move(table_);
  }

 private:
  struct Open {
    std::size_t part = 0;
    std::string boundary;              // of a multipart whose close delimiter was not seen yet
    std::uint32_t lines_before = 0;    // LFs before its body
  };
  struct Delimiter {
    std::size_t level = 0;             // index in open_
    bool closes = false;
  };

  void walk_line() {
    if (text_.compare(at_, 2, "--") == 0) {
      if (auto delimiter = match(text_.substr(at_ + 2))) return on_delimiter(*delimiter);
    }
    skip_line();
  }

  void skip_line() {
    const void* hit = std::memchr(text_.data() + at_, '\n', text_.size() - at_);
    if (hit == nullptr) {
      at_ = text_.size();
      return;
    }
    at_ = static_cast<std::size_t>(static_cast<const char*>(hit) - text_.data()) + 1;
    ++lines_;
  }

  // `rest` is what stands behind the two hyphens.  The longest open boundary wins, of equal ones the innermost:
  // one boundary may begin with another.
  std::optional<Delimiter> match(std::string_view rest) const {
    std::optional<Delimiter> best;
    std::size_t best_length = 0;
    for (std::size_t level = open_.size(); level-- > 0;) {
      const std::string& boundary = open_[level].boundary;
      if (boundary.size() <= best_length || !rest.starts_with(boundary)) continue;
      std::string_view behind = rest.substr(boundary.size());
      bool closes = behind.starts_with("--");
      if (!closes && !ends_line(behind)) continue;
      best = Delimiter{level, closes};
      best_length = boundary.size();
    }
    return best;
  }

  // RFC 2046 5.1.1: only white space may follow a boundary on its line.
  static bool ends_line(std::string_view text) {
    auto at = text.find_first_not_of(" \t\r");
    return at == std::string_view::npos || text[at] == '\n';
  }

  void on_delimiter(Delimiter delimiter) {
    // RFC 2046 5.1.1: the line end before it belongs to the delimiter, unless it ends the header of the part before.
    std::size_t end = at_;
    std::uint32_t lines = lines_;
    std::size_t body = table_.parts[open_.back().part].body;
    if (end > body) {
      --end;
      --lines;
      if (end > body && text_[end - 1] == '\r') --end;
    }
    close_down_to(delimiter.level + 1, end, lines);
    skip_line();
    if (delimiter.closes) {
      open_[delimiter.level].boundary.clear();   // the rest is epilogue
      --boundaries_;
    } else {
      const Part& parent = table_.parts[open_[delimiter.level].part];
      begin_part(open_[delimiter.level].part, false, parent.is("multipart", "digest"));
    }
  }

  void close_down_to(std::size_t level, std::size_t end, std::uint32_t lines) {
    while (open_.size() > level) {
      const Open& open = open_.back();
      Part& part = table_.parts[open.part];
      part.end = offset(end);
      part.lines = lines - open.lines_before;
      if (!open.boundary.empty()) --boundaries_;
      open_.pop_back();
    }
  }

  // Reads the header at at_ and opens the part, and the message within when it is a message/rfc822.
  void begin_part(std::size_t parent, bool is_message, bool in_digest) {
    for (;;) {
      std::size_t index = table_.parts.size();
      Part& part = table_.parts.emplace_back();
      part.parent = static_cast<std::uint16_t>(parent);
      part.depth = index == 0 ? 0 : static_cast<std::uint8_t>(table_.parts[parent].depth + 1);
      part.is_message = is_message;
      part.header = part.body = offset(at_);
      if (index + 1 == kMaxParts) return give_up(part);
      if (in_digest) {
        part.type.type = "message";
        part.type.subtype = "rfc822";
      }
      read_header(part);
      if (is_message && index > 0) keep(part.envelope, envelope_of(header_of(text_, part)), kMaxEnvelope + 64);
      open_part(index);
      if (part.kind != Part::Kind::message) return;
      parent = index;
      is_message = true;
      in_digest = false;
    }
  }

  // The limit of parts: this one stands for all that follows.
  void give_up(Part& part) {
    part.type.type = "application";
    part.type.subtype = "octet-stream";
    table_.truncated = true;
    open_.push_back({table_.parts.size() - 1, {}, lines_});
    boundaries_ = 0;
    for (Open& open : open_) open.boundary.clear();
  }

  void open_part(std::size_t index) {
    Part& part = table_.parts[index];
    std::string boundary;
    if (part.type.type == "multipart") {
      boundary = trimmed_right(part.type.parameters.plain("boundary"));
      // RFC 2231 3 allows a split one; readers that join it see parts.
      if (boundary.empty()) boundary = trimmed_right(part.type.parameters.get("boundary").value_or(""));
    }
    bool message = part.type.type == "message" && (part.type.subtype == "rfc822" || part.type.subtype == "global") &&
                   part.encoding == TransferEncoding::identity;
    if (message || !boundary.empty()) {
      bool room = part.depth < kMaxDepth && table_.parts.size() + 2 <= kMaxParts;
      if (room) {
        part.kind = message ? Part::Kind::message : Part::Kind::multipart;
      } else {
        table_.truncated = true;
        boundary.clear();
      }
    }
    if (!boundary.empty()) ++boundaries_;
    open_.push_back({index, std::move(boundary), lines_});
  }

  static std::string_view trimmed_right(std::string_view text) {
    while (!text.empty() && is_wsp(text.back())) text.remove_suffix(1);
    return text;
  }

  void read_header(Part& part) {
    HeaderReader reader(text_.substr(at_));
    HeaderField field;
    Seen seen;
    std::size_t body = 0;
    for (;;) {
      if (!reader.next(field)) {
        body = reader.body_offset();
        break;
      }
      // A part whose header never ends must not swallow its neighbours.
      std::string_view line = text_.substr(at_ + field.begin);
      if (boundaries_ > 0 && line.starts_with("--") && match(line.substr(2))) {
        body = field.begin;
        break;
      }
      if (field.name.size() > 8 && istarts_with(field.name, "content-")) {
        on_content_field(part, seen, field.name.substr(8), field.raw);
      }
    }
    lines_ += count_lines(text_.substr(at_, body));
    at_ += body;
    part.body = offset(at_);
  }

  struct Seen {
    bool type = false;
    bool encoding = false;
    bool disposition = false;
  };

  // The first field of a name counts.
  void on_content_field(Part& part, Seen& seen, std::string_view name, std::string_view raw) {
    if (iequals(name, "Type")) {
      if (!std::exchange(seen.type, true)) part.type = bounded(parse_content_type(raw));
    } else if (iequals(name, "Transfer-Encoding")) {
      if (std::exchange(seen.encoding, true)) return;
      part.encoding = parse_transfer_encoding(raw);
      keep(part.encoding_word, ascii_lowered(unfolded(raw)), kMaxTypeWord);
    } else if (iequals(name, "Disposition")) {
      if (!std::exchange(seen.disposition, true)) part.disposition = bounded(parse_disposition(raw));
    } else if (iequals(name, "ID")) {
      if (part.id.empty()) keep(part.id, unfolded(raw), kMaxSmallText);
    } else if (iequals(name, "Description")) {
      if (part.description.empty()) keep(part.description, unfolded(raw), kMaxSmallText);
    } else if (iequals(name, "MD5")) {
      if (part.md5.empty()) keep(part.md5, unfolded(raw), kMaxSmallText);
    } else if (iequals(name, "Language")) {
      if (part.language.empty()) keep(part.language, unfolded(raw), kMaxSmallText);
    } else if (iequals(name, "Location")) {
      if (part.location.empty()) keep(part.location, unfolded(raw), kMaxSmallText);
    }
  }

  // Nothing is judged by these texts, so losing one hides nothing.
  void keep(std::string& place, std::string value, std::size_t max) {
    if (value.size() > max || value.size() > text_left_) return;
    text_left_ -= value.size();
    place = std::move(value);
  }

  ContentType bounded(ContentType content) {
    if (content.type.size() > kMaxTypeWord || content.subtype.size() > kMaxTypeWord) {
      table_.truncated = true;
      // RFC 2046 5.1.3: a multipart of any other kind is read as mixed.
      bool multipart = content.type == "multipart";
      content.type = multipart ? "multipart" : "application";
      content.subtype = multipart ? "mixed" : "octet-stream";
    }
    content.parameters = bounded(std::move(content.parameters));
    return content;
  }
  Disposition bounded(Disposition disposition) {
    if (disposition.kind.size() > kMaxTypeWord) disposition.kind = "attachment";
    disposition.parameters = bounded(std::move(disposition.parameters));
    return disposition;
  }
  // When the table is full of other texts, what decides has room of its own, and an ordinary boundary always.
  Parameters bounded(Parameters parameters) {
    if (parameters.truncated()) table_.truncated = true;
    std::size_t size = 0;
    for (const Parameter& parameter : parameters.raw()) size += parameter.name.size() + parameter.value.size();
    if (size <= text_left_) {
      text_left_ -= size;
      return parameters;
    }
    Parameters rest;
    for (const Parameter& parameter : parameters.raw()) {
      if (!decides(parameter.name)) continue;
      std::size_t needed = parameter.name.size() + parameter.value.size();
      if (needed > deciding_left_ && (parameter.name != "boundary" || parameter.value.size() > kMaxBoundary)) {
        table_.truncated = true;
        continue;
      }
      deciding_left_ -= std::min(needed, deciding_left_);
      rest.add(parameter.name, parameter.value);
    }
    return rest;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t lines_ = 0;            // LFs before at_
  std::size_t boundaries_ = 0;         // open_ entries with a boundary
  std::size_t text_left_ = kMaxTableText;
  std::size_t deciding_left_ = kMaxTableText;
  std::vector<Open> open_;
  PartTable table_;
};

// One step of an IMAP part number.
struct Place {
  std::size_t index = 0;
  bool as_message = true;              // it stands for a whole message, whose parts are numbered from 1
};

}  // namespace

std::string Part::file_name() const {
  if (auto name = disposition.parameters.get("filename"); name && !name->empty()) return *name;
  return type.parameters.get("name").value_or("");
}

std::vector<std::size_t> PartTable::children(std::size_t index) const {
  std::vector<std::size_t> out;
  if (index >= parts.size()) return out;
  for (std::size_t i = index + 1; i < parts.size() && parts[i].depth > parts[index].depth; ++i) {
    if (parts[i].parent == index) out.push_back(i);
  }
  return out;
}

std::optional<std::size_t> PartTable::find(std::string_view number) const {
  Place place;
  if (number.empty()) return place.index;
  for (std::string_view step : split(number, '.')) {
    auto n = parse_number(step);
    if (!n || *n == 0) return std::nullopt;
    if (!place.as_message && parts[place.index].kind == Part::Kind::message) {
      place = {place.index + 1, true};
    }
    if (parts[place.index].kind == Part::Kind::multipart) {
      auto below = children(place.index);
      if (*n > below.size()) return std::nullopt;
      place = {below[*n - 1], false};
    } else if (place.as_message && *n == 1) {
      place.as_message = false;
    } else {
      return std::nullopt;
    }
  }
  return place.index;
}

std::optional<std::size_t> PartTable::message_of(std::string_view number) const {
  if (number.empty()) return 0;
  auto index = find(number);
  if (!index || parts[*index].kind != Part::Kind::message) return std::nullopt;
  return *index + 1;
}

PartTable parse(std::string_view message) {
  return Parser(message.substr(0, std::numeric_limits<std::uint32_t>::max())).run();
}

}  // namespace postern::mail
