// Our part table against what two other libraries make of the mails in suites/mime: stalwartlabs/mail-parser (.json:
// tree, offsets, decoded bodies) and Apache james-mime4j (.xml: tree; decoded bodies).  "Strong hints, not law": where we
// read a mail differently, the difference stands by name in a table here, with its reason, and must still be there.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"
#include "tests/support/catch.h"
#include "tests/support/suites.h"

using namespace postern;
using namespace postern::mail;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Reasons = std::map<std::string, std::string>;

std::vector<fs::path> files(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && (extension.empty() || entry.path().extension() == extension)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string with_lf(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\r' || text.substr(at + 1, 1) != "\n") out += text[at];
  }
  return out;
}

// A difference must be in the table, and what is in the table must differ.
void compare(const Reasons& reasons, const std::string& name, const std::string& differences) {
  INFO(name << "\n" << differences);
  auto known = reasons.find(name);
  if (known == reasons.end()) {
    CHECK(differences.empty());
  } else {
    INFO("known: " << known->second);
    CHECK_FALSE(differences.empty());
  }
}

// "multipart(leaf,message(leaf))".
std::string shape(const PartTable& table, std::size_t index) {
  const Part& part = table.parts[index];
  if (part.kind == Part::Kind::leaf) return "leaf";
  std::string out = part.kind == Part::Kind::multipart ? "multipart(" : "message(";
  bool first = true;
  for (std::size_t child : table.children(index)) {
    if (!std::exchange(first, false)) out += ',';
    out += shape(table, child);
  }
  return out + ")";
}

// --- mail-parser

std::string json_shape(const json& message, std::size_t index) {
  const json& body = message["parts"][index]["body"];
  if (body.contains("Multipart")) {
    std::string out = "multipart(";
    for (const json& child : body["Multipart"]) {
      if (out.back() != '(') out += ',';
      out += json_shape(message, child.get<std::size_t>());
    }
    return out + ")";
  }
  if (body.contains("Message")) return "message(" + json_shape(body["Message"], 0) + ")";
  return "leaf";
}

std::string octets_of(const json& numbers) {
  std::string out;
  for (const json& number : numbers) out += static_cast<char>(number.get<int>());
  return out;
}

struct Given {
  std::string content;   // decoded
  bool text = false;
  std::size_t header = 0, body = 0, end = 0;
};

// The leaves in order; offsets count from the begin of the outermost message.
void collect(const json& message, std::size_t index, std::vector<Given>& out) {
  const json& part = message["parts"][index];
  const json& body = part["body"];
  if (body.contains("Multipart")) {
    for (const json& child : body["Multipart"]) collect(message, child.get<std::size_t>(), out);
    return;
  }
  if (body.contains("Message")) return collect(body["Message"], 0, out);
  Given given;
  given.header = part["offset_header"].get<std::size_t>();
  given.body = part["offset_body"].get<std::size_t>();
  given.end = part["offset_end"].get<std::size_t>();
  for (const char* kind : {"Text", "Html"}) {
    if (body.contains(kind)) given.content = body[kind].get<std::string>(), given.text = true;
  }
  for (const char* kind : {"Binary", "InlineBinary"}) {
    if (body.contains(kind)) given.content = octets_of(body[kind]);
  }
  out.push_back(std::move(given));
}

std::string differences_to_json(const std::string& message, const json& wanted) {
  PartTable table = parse(message);
  std::string mine = shape(table, 0), theirs = json_shape(wanted, 0);
  if (mine != theirs) return "shape: ours " + mine + ", theirs " + theirs + "\n";
  std::vector<Given> leaves;
  collect(wanted, 0, leaves);
  std::string out;
  std::size_t at = 0;
  for (const Part& part : table.parts) {
    if (part.kind != Part::Kind::leaf) continue;
    const Given& given = leaves[at++];
    auto compare_offset = [&out, at](const char* what, std::size_t ours, std::size_t other) {
      if (ours == other) return;
      out += "leaf " + std::to_string(at) + ": " + what + " ours " + std::to_string(ours) + ", theirs " + std::to_string(other) + "\n";
    };
    compare_offset("header", part.header, given.header);
    compare_offset("body", part.body, given.body);
    compare_offset("end", part.end, given.end);
    std::string content = given.text ? part_text(message, part) : part_octets(message, part);
    if (content != given.content) {
      auto where = static_cast<std::size_t>(std::mismatch(content.begin(), content.end(), given.content.begin(), given.content.end()).first -
                                            content.begin());
      std::size_t from = where < 10 ? 0 : where - 10;
      out += "leaf " + std::to_string(at) + ": content at " + std::to_string(where) + " ours \"" + printable(content.substr(from, 40)) + "\", theirs \"" +
             printable(given.content.substr(std::min(from, given.content.size()), 40)) + "\"\n";
    }
  }
  return out;
}

// --- mime4j

// The tree of an .xml as our shape: it is written one tag a line, and text is escaped in it.
class XmlShape {
 public:
  explicit XmlShape(std::string_view xml) : lines_(split(xml, '\n')) {}
  std::string read() {
    while (at_ < lines_.size() && trimmed(lines_[at_]) != "<message>") ++at_;
    ++at_;
    return entity("</message>");
  }

 private:
  std::string entity(std::string_view end) {
    std::string out = "leaf";
    for (; at_ < lines_.size(); ++at_) {
      std::string_view line = trimmed(lines_[at_]);
      if (line == end) break;
      if (line == "<message>") {
        ++at_;
        out = "message(" + entity("</message>") + ")";
      } else if (line == "<multipart>") {
        ++at_;
        out = multipart();
      }
    }
    return out;
  }
  std::string multipart() {
    std::string out = "multipart(";
    for (; at_ < lines_.size(); ++at_) {
      std::string_view line = trimmed(lines_[at_]);
      if (line == "</multipart>") break;
      if (line != "<body-part>") continue;
      ++at_;
      if (out.back() != '(') out += ',';
      out += entity("</body-part>");
    }
    return out + ")";
  }
  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
};

// "multi-nested3_decoded_1_3_2.bin": the leaf that this file holds decoded, walked from the root (1); or nothing.
std::optional<std::size_t> leaf_of(const PartTable& table, std::string_view stem) {
  std::string_view numbers = stem.substr(stem.find("_decoded_") + 9);
  std::size_t index = 0;
  bool first = true;
  for (std::string_view number : split(numbers, '_')) {
    if (std::exchange(first, false)) continue;
    auto below = table.children(index);
    auto n = parse_number(number);
    if (!n || *n == 0 || *n > below.size()) return std::nullopt;
    index = below[*n - 1];
  }
  return table.parts[index].kind == Part::Kind::leaf ? std::optional(index) : std::nullopt;
}

// --- every mail

// What must hold for any octets.
void check_table(const std::string& message) {
  PartTable table = parse(message);
  bool sound = !table.parts.empty() && table.size == message.size();
  for (const Part& part : table.parts) {
    std::string_view body = body_of(message, part);
    sound = sound && part.header <= part.body && part.body <= part.end && part.end <= message.size() &&
            part.lines == static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) && is_utf8(part.file_name());
  }
  auto back = deserialize(serialize(table));
  sound = sound && back && *back == table && is_utf8(readable_text(message, table)) && EnvelopeView::read(envelope_of(message));
  CHECK(sound);
}

const std::optional<fs::path>& mails() {
  static const auto kMails = [] {
    auto place = test::suites();
    if (place) *place /= "mime";
    return place;
  }();
  return kMails;
}

}  // namespace

TEST_CASE("mail-parser's mails have its parts") {
  if (!mails()) return;
  const Reasons reasons = {
      {"legacy/026", "uuencode is decoded by us, by them not"},
      {"legacy/048", "uuencode is decoded by us, by them not"},
      {"legacy/052", "8-bit text without a charset is taken for windows-1252, they put U+FFFD"},
      {"malformed/000", "they do not see a header that goes on to the delimiter"},
      {"malformed/002", "a multipart without any delimiter has no parts; they make its body a text"},
      {"malformed/004", "--ab is no delimiter of boundary a; RFC 2046 5.1.1 would allow to take it for one"},
      {"malformed/008", "--ab ends the inner multipart with boundary a; they take it for a delimiter of a"},
      {"malformed/012", "--1 ends the inner multipart; they give what follows to it"},
      {"malformed/014", "a delimiter at the very end opens an empty part"},
      {"malformed/016", "each delimiter ends what lies within; they give all to the innermost multipart"},
      {"malformed/020", "two Content-Type fields: the first counts, they take the last"},
      {"malformed/022", "a message/rfc822 is a message even when its header is rubbish"},
      {"rfc/000", "base64 parts that hold plain words: we decode what is in the alphabet, they show the words"},
      {"rfc/008", "an encoded message/rfc822 is a leaf (RFC 2046 5.2.1 forbids the encoding); they decode it"},
      {"thirdparty/002", "broken base64: we decode what is in the alphabet, they show it raw"},
  };
  std::size_t count = 0;
  for (const fs::path& path : files(*mails() / "mail-parser", ".eml")) {
    for (bool crlf : {false, true}) {
      std::string message = with_lf(test::read_file(path));
      if (crlf) message = test::with_crlf(message);
      fs::path given = path;
      given.replace_extension(crlf ? ".crlf.json" : ".json");
      std::string name = path.parent_path().filename().string() + "/" + path.stem().string();
      compare(reasons, name, differences_to_json(message, json::parse(test::read_file(given))));
      ++count;
    }
  }
  CHECK(count == 108);
}

TEST_CASE("mime4j's mails have its parts") {
  if (!mails()) return;
  const Reasons reasons = {
      {"bad-newlines-multiple-parts-base64", "an encoded message/rfc822 is a leaf; they decode it"},
      {"base64encoded-rfc822message", "an encoded message/rfc822 is a leaf; they decode it"},
      {"very-very-long-boundary", "a boundary cannot end with a space, RFC 2046 5.1.1: white space behind it is padding"},
  };
  std::size_t count = 0;
  for (const fs::path& path : files(*mails() / "mime4j", ".msg")) {
    fs::path given = path;
    given.replace_extension(".xml");
    std::string message = test::read_file(path);
    std::string mine = shape(parse(message), 0), theirs = XmlShape(test::read_file(given)).read();
    compare(reasons, path.stem().string(), mine == theirs ? "" : "ours " + mine + ", theirs " + theirs + "\n");
    ++count;
  }
  CHECK(count == 40);
}

TEST_CASE("mime4j's mails have its decoded bodies") {
  if (!mails()) return;
  const Reasons reasons = {
      {"empty-preamble_decoded_1_1", "quoted-printable: the line end stays as it is, they write CRLF behind white space"},
      {"german-qp_decoded_1", "quoted-printable: the line end stays as it is, they write CRLF behind white space"},
      {"bad-newlines-multiple-parts-base64_decoded_1_1_1", "an encoded message/rfc822 is a leaf; they decode it"},
      {"base64encoded-rfc822message_decoded_1_1", "an encoded message/rfc822 is a leaf; they decode it"},
      {"malformedHeaderStartsBody-nocrlfcrlf_decoded_1", "a line that is no field does not end the header, theirs begins the body"},
      {"missing-inner-boundary_decoded_1_2_1", "an empty file that their tree does not name"},
      {"multipartnestedemptyparts_decoded_1_1", "a file that their tree does not name"},
      {"very-very-long-boundary_decoded_1_1", "a boundary cannot end with a space, RFC 2046 5.1.1"},
  };
  std::size_t count = 0;
  for (const fs::path& path : files(*mails() / "mime4j", "")) {
    std::string stem = path.stem().string();
    auto at = stem.find("_decoded_");
    if (at == std::string::npos) continue;
    std::string message = test::read_file(path.parent_path() / (stem.substr(0, at) + ".msg"));
    PartTable table = parse(message);
    std::string difference = "no such leaf\n";
    if (auto index = leaf_of(table, stem)) {
      std::string ours = part_octets(message, table.parts[*index]), theirs = test::read_file(path);
      auto where = static_cast<std::size_t>(std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end()).first - ours.begin());
      difference.clear();
      if (ours != theirs) difference = "at " + std::to_string(where) + " ours \"" + printable(ours.substr(where, 60)) + "\", theirs \"" + printable(theirs.substr(where, 60)) + "\"\n";
    }
    compare(reasons, stem, difference);
    ++count;
  }
  CHECK(count == 90);
}

TEST_CASE("every mail of the suites is parsed whole and cut off anywhere") {
  if (!mails()) return;
  std::size_t count = 0;
  for (const fs::path& path : files(*mails(), "")) {
    std::string extension = path.extension().string();
    if (extension == ".json" || extension == ".xml" || extension == ".out" || path.filename().string().find("_decoded") != std::string::npos) continue;
    INFO(path.string());
    std::string message = test::read_file(path);
    check_table(message);
    check_table(test::with_crlf(message));
    std::size_t step = std::max<std::size_t>(message.size() / 50, 1);
    for (std::size_t cut = 0; cut < message.size(); cut += step) check_table(message.substr(0, cut));
    ++count;
  }
  CHECK(count >= 54 + 40 + 53);
}
