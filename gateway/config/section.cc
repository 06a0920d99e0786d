// One table of the configuration: types, units and the search for mistyped names.
#include "gateway/config/section.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::config {
namespace {

std::string quoted(std::string_view text) { return "\"" + printable(text, 80) + "\""; }


}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  text = trimmed(text);
  if (text == "0") return Rate{};
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto count = parse_number(text.substr(0, slash));
  auto window_text = text.substr(slash + 1);
  // "300/m" reads as "300 a minute".
  auto window = !window_text.empty() && is_digit(window_text.front()) ? parse_milliseconds(window_text)
                                                                      : parse_milliseconds("1" + std::string(window_text));
  if (!count || !window || *window <= 0 || *window > 86'400'000) return std::nullopt;
  return Rate{*count, Milliseconds(*window)};
}

Section::Section(Report& report, const Value* table, std::string title)
    : report_(report), table_(table), title_(std::move(title)) {}

std::string Section::named(std::string_view key) const {
  return std::string(key) + (title_.empty() ? "" : " in " + title_);
}

const Member* Section::find(std::string_view key) {
  known_.push_back(key);
  if (table_ == nullptr) return nullptr;
  auto at = std::find_if(table_->members.begin(), table_->members.end(), [&](const Member& m) { return m.key == key; });
  return at == table_->members.end() ? nullptr : &*at;
}

bool Section::has(std::string_view key) const {
  return table_ != nullptr && std::any_of(table_->members.begin(), table_->members.end(), [&](const Member& m) { return m.key == key; });
}

int Section::line(std::string_view key) const {
  if (table_ == nullptr) return 0;
  for (const auto& member : table_->members) {
    if (member.key == key) return member.line;
  }
  return table_->line;
}

const Value* Section::of_kind(std::string_view key, Value::Kind kind, std::string_view wanted) {
  const auto* member = find(key);
  if (member == nullptr) return nullptr;
  if (member->value.kind == kind) return &member->value;
  report_.mistake(member->line, named(key) + " must be " + std::string(wanted) + ", not " + std::string(member->value.kind_name()));
  return nullptr;
}

const Value* Section::table(std::string_view key) {
  return of_kind(key, Value::Kind::table, "a [section]");
}

void Section::text(std::string_view key, std::string& into) {
  const auto* value = of_kind(key, Value::Kind::text, "a string in quotes");
  if (value == nullptr) return;
  if (value->text.find('\0') != std::string::npos || value->text.find('\n') != std::string::npos) {
    report_.mistake(value->line, named(key) + " must be one line of text");
    return;
  }
  into = value->text;
}

void Section::boolean(std::string_view key, bool& into) {
  const auto* value = of_kind(key, Value::Kind::boolean, "true or false (without quotes)");
  if (value != nullptr) into = value->boolean;
}

void Section::count(std::string_view key, std::uint64_t& into, std::uint64_t maximum) {
  const auto* value = of_kind(key, Value::Kind::number, "a whole number (without quotes)");
  if (value == nullptr) return;
  if (value->number < 0 || static_cast<std::uint64_t>(value->number) > maximum) {
    report_.mistake(value->line, named(key) + " must lie between 0 and " + std::to_string(maximum));
    return;
  }
  into = static_cast<std::uint64_t>(value->number);
}

void Section::octets(std::string_view key, Octets& into, Octets minimum) {
  const auto* member = find(key);
  if (member == nullptr) return;
  const auto& value = member->value;
  std::optional<std::uint64_t> size;
  if (value.kind == Value::Kind::number && value.number >= 0) size = static_cast<std::uint64_t>(value.number);
  if (value.kind == Value::Kind::text) size = parse_octets(value.text);
  if (!size) {
    report_.mistake(member->line, named(key) + " must be a size such as \"50MB\" or \"256KiB\"" +
                                      (value.kind == Value::Kind::text ? ", not " + quoted(value.text) : ""));
    return;
  }
  if (*size < minimum) {
    report_.mistake(member->line, named(key) + " must be at least " + std::to_string(minimum) + " octets");
    return;
  }
  into = *size;
}

void Section::duration(std::string_view key, Milliseconds& into, Milliseconds minimum) {
  const auto* member = find(key);
  if (member == nullptr) return;
  std::optional<std::int64_t> parsed;
  if (member->value.kind == Value::Kind::text) parsed = parse_milliseconds(member->value.text);
  if (!parsed) {
    std::string instead = member->value.kind == Value::Kind::text     ? ", not " + quoted(member->value.text)
                          : member->value.kind == Value::Kind::number ? ", not a number without a unit"
                                                                      : "";
    report_.mistake(member->line, named(key) + " must be a time such as \"5s\", \"250ms\" or \"7d\"" + instead);
    return;
  }
  if (*parsed < minimum.count()) {
    report_.mistake(member->line, named(key) + " must be at least \"" + std::to_string(minimum.count()) + "ms\"");
    return;
  }
  into = Milliseconds(*parsed);
}

void Section::durations(std::string_view key, std::vector<Milliseconds>& into, Milliseconds minimum) {
  const auto* value = of_kind(key, Value::Kind::list, "a list such as [\"5m\", \"1h\"]");
  if (value == nullptr) return;
  std::vector<Milliseconds> out;
  for (const auto& item : value->list) {
    auto parsed = item.kind == Value::Kind::text ? parse_milliseconds(item.text) : std::nullopt;
    if (parsed && *parsed >= minimum.count()) {
      out.emplace_back(*parsed);
      continue;
    }
    report_.mistake(item.line, named(key) + ": " + (item.kind == Value::Kind::text ? quoted(item.text) : std::string(item.kind_name())) +
                                   " is no time of at least \"" + std::to_string(minimum.count()) + "ms\", such as \"5m\" or \"1h\"");
  }
  if (value->list.empty()) report_.mistake(value->line, named(key) + " must not be empty");
  if (!out.empty()) into = std::move(out);
}

void Section::rate(std::string_view key, Rate& into) {
  const auto* member = find(key);
  if (member == nullptr) return;
  std::optional<Rate> parsed;
  if (member->value.kind == Value::Kind::number && member->value.number == 0) parsed = Rate{};
  if (member->value.kind == Value::Kind::text) parsed = parse_rate(member->value.text);
  if (!parsed) {
    report_.mistake(member->line, named(key) + " must be a rate such as \"300/1m\" (at most a day), or 0 for none");
    return;
  }
  into = *parsed;
}

void Section::endpoints(std::string_view key, std::vector<Endpoint>& into, std::uint16_t default_port) {
  const auto* value = of_kind(key, Value::Kind::list, "a list such as [\"127.0.0.1:25\"]");
  if (value == nullptr) return;
  std::vector<Endpoint> out;
  bool sound = true;
  for (const auto& item : value->list) {
    auto parsed = item.kind == Value::Kind::text ? Endpoint::parse(item.text, default_port) : std::nullopt;
    if (!parsed) {
      sound = false;
      report_.mistake(item.line, named(key) + ": " + (item.kind == Value::Kind::text ? quoted(item.text) : std::string(item.kind_name())) +
                                     " is no ADDRESS:PORT such as \"127.0.0.1:25\" or \"[::]:25\" (no host names)");
      continue;
    }
    out.push_back(*parsed);
  }
  if (sound) into = std::move(out);
}

void Section::endpoint(std::string_view key, std::optional<Endpoint>& into) {
  const auto* member = find(key);
  if (member == nullptr) return;
  const auto& value = member->value;
  // An empty list switches off, as with the other services.
  if ((value.kind == Value::Kind::text && value.text.empty()) || (value.kind == Value::Kind::list && value.list.empty())) {
    into.reset();
    return;
  }
  auto parsed = value.kind == Value::Kind::text ? Endpoint::parse(value.text) : std::nullopt;
  if (!parsed) {
    report_.mistake(member->line, named(key) + " must be one ADDRESS:PORT such as \"127.0.0.1:8025\", or \"\" for none");
    return;
  }
  into = *parsed;
}

void Section::networks(std::string_view key, std::vector<Network>& into) {
  const auto* value = of_kind(key, Value::Kind::list, "a list such as [\"192.0.2.0/24\"]");
  if (value == nullptr) return;
  std::vector<Network> out;
  for (const auto& item : value->list) {
    auto parsed = item.kind == Value::Kind::text ? Network::parse(item.text) : std::nullopt;
    if (!parsed) {
      report_.mistake(item.line, named(key) + ": " + (item.kind == Value::Kind::text ? quoted(item.text) : std::string(item.kind_name())) +
                                     " is no network such as \"192.0.2.0/24\" or \"2001:db8::/32\"");
      continue;
    }
    out.push_back(*parsed);
  }
  into = std::move(out);
}

void Section::level(std::string_view key, log::Level& into) {
  const auto* value = of_kind(key, Value::Kind::text, "a string in quotes");
  if (value == nullptr) return;
  if (value->text == "debug") into = log::Level::debug;
  else if (value->text == "info") into = log::Level::info;
  else if (value->text == "warning") into = log::Level::warning;
  else if (value->text == "error") into = log::Level::error;
  else report_.mistake(value->line, named(key) + " must be \"debug\", \"info\", \"warning\" or \"error\", not " + quoted(value->text));
}

std::optional<std::size_t> Section::word(std::string_view key, const std::vector<std::string_view>& words) {
  std::string said;
  text(key, said);
  if (said.empty()) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == said) return i;
  }
  std::string known;
  for (auto each : words) known += (known.empty() ? "\"" : ", \"") + std::string(each) + "\"";
  report_.mistake(line(key), named(key) + " must be one of " + known + ", not " + quoted(said) + did_you_mean(said, words));
  return std::nullopt;
}

void Section::finish(const std::vector<std::string_view>& top_keys) {
  if (table_ == nullptr) return;
  for (const auto& member : table_->members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    std::string text = "unknown key " + quoted(member.key) + (title_.empty() ? "" : " in " + title_);
    if (std::find(top_keys.begin(), top_keys.end(), member.key) != top_keys.end()) {
      text += " (it belongs above the first [section])";
    } else {
      text += did_you_mean(member.key, known_);
    }
    report_.mistake(member.line, text);
  }
}

}  // namespace postern::config
