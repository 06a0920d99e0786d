// What a held message looks like to the administrator, in three ways; none of them asks the outside for anything.
#include "gateway/admin/quarantine_show.h"

#include <nlohmann/json.hpp>

#include "gateway/base/text.h"
#include "gateway/io/worker_pool.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr std::uint64_t kShown = 64 * 1024;        // octets of a message as it is
constexpr std::uint64_t kPortion = 1024 * 1024;    // of its raw octets in one answer
constexpr std::uint64_t kParsed = 16 << 20;        // octets that are looked at for its text
constexpr std::size_t kMaxText = 256 * 1024;
constexpr std::size_t kMaxField = 1000;

std::string fields_of(std::string_view message) {
  mail::HeaderBlock header(message);
  std::string out;
  for (std::string_view name : {"From", "To", "Cc", "Reply-To", "Date", "Subject", "Authentication-Results", "X-Postern-Verdict"}) {
    const auto* field = header.find(name);
    if (field != nullptr) out += std::string(name) + ": " + mail::readable(field->raw).substr(0, kMaxField) + "\n";
  }
  for (std::size_t i = 0; const auto* why = header.nth("X-Postern-Why", i); ++i) {
    out += "X-Postern-Why: " + mail::readable(why->raw).substr(0, kMaxField) + "\n";
  }
  return out;
}

std::string parts_of(const mail::PartTable& table) {
  std::string out;
  for (const auto& part : table.parts) {
    out += std::string(2 * (1 + std::size_t{part.depth}), ' ') + part.type.type + "/" + part.type.subtype;
    auto name = part.file_name();
    if (!name.empty()) out += " \"" + name.substr(0, kMaxField) + "\"";
    if (part.kind == mail::Part::Kind::leaf) out += ", " + std::to_string(part.body_size()) + " octets";
    out += "\n";
  }
  return out;
}

std::string readable(std::string_view message) {
  auto table = mail::parse(message);
  return fields_of(message) + "\n" + parts_of(table) + "\n" + mail::readable_text(message, table, kMaxText);
}

}  // namespace

io::Task<void> show_held(Context& context, const HeldCopy& copy, const json& request, json& row) {
  bool raw = request.value("raw", false);
  bool text = request.value("text", false);
  row["cut"] = false;
  if (copy.kind == HeldCopy::Kind::lone_notice) {
    row["text"] = "(the original is gone)";
    co_return;
  }
  auto found = co_await context.store->message(copy.place.mailbox, copy.place.uid);
  if (!found || !*found) {
    row["text"] = found ? "" : "(" + found.error().text + ")";
    co_return;
  }
  auto offset = raw ? request.value("offset", std::uint64_t{0}) : 0;
  auto octets = co_await context.store->read(**found, offset, raw ? kPortion : text ? kParsed : kShown);
  if (!octets) {
    row["text"] = "(" + octets.error().text + ")";
  } else if (raw) {
    row["octets"] = base64(*octets);
    row["more"] = offset + octets->size() < (*found)->size() && !octets->empty();
  } else if (text) {
    auto job = [message = std::move(*octets)] { return readable(message); };
    std::string shown = co_await context.workers->run(std::move(job));
    row["text"] = std::move(shown);
  } else {
    row["text"] = std::move(*octets);
    row["cut"] = copy.size > kShown;
  }
}

}  // namespace postern::admin
