// The life of a message in words.
#include "gateway/admin/trace_words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// Of any kind: a damaged row must not end the program.
std::string text_of(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) return "";
  const auto& value = object[name];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (!value.is_array()) return value.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string out;
  for (const auto& each : value) {
    if (each.is_string()) out += (out.empty() ? "" : ", ") + each.get<std::string>();
  }
  return out;
}

bool says_yes(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && (object[name] == true || object[name] == "yes");
}

std::string number_of(const json& object, const char* name) {
  double value = object.is_object() && object.contains(name) && object[name].is_number() ? object[name].get<double>() : 0;
  char text[40];
  std::snprintf(text, sizeof text, "%.1f", std::abs(value) < 0.05 ? 0.0 : value);
  return text;
}

std::string address(const std::string& one) { return "<" + one + ">"; }

std::string when(const json& event) {
  auto time = text_of(event, "time");
  std::replace(time.begin(), time.end(), 'T', ' ');
  if (time.ends_with('Z')) time.pop_back();
  return time;
}

class Page {
 public:
  void line(std::string_view text) { out_.append(text).append("\n"); }
  // Lines of one moment under its time.
  void at(const std::string& time, const std::string& text) {
    std::string margin = time == last_ ? std::string(time.size(), ' ') : time;
    last_ = time;
    line(margin + "  " + text);
  }
  std::string take() { return tame(std::move(out_)); }

 private:
  std::string out_, last_;
};

std::string results_of(const json& facts) {
  std::string out;
  auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (facts.contains("spf")) add("SPF " + text_of(facts["spf"], "result") + " for " + text_of(facts["spf"], "domain"));
  if (facts.contains("dkim") && facts["dkim"].is_array()) {
    if (facts["dkim"].empty()) add("no DKIM signature");
    for (const auto& one : facts["dkim"]) add("DKIM " + text_of(one, "result") + " by " + text_of(one, "domain"));
  }
  if (facts.contains("dmarc")) add("DMARC " + text_of(facts["dmarc"], "result") + ", policy " + text_of(facts["dmarc"], "policy"));
  if (!facts.contains("virus")) return out;
  const auto& virus = facts["virus"];
  if (virus.is_null()) add("no virus found");
  else if (virus.is_string()) add("virus " + virus.get<std::string>());
  else add("not scanned: " + text_of(virus, "error") + text_of(virus, "limit"));
  return out;
}

std::string hit_text(const json& hit) {
  auto kind = text_of(hit, "kind");
  std::string what = kind == "score" ? (number_of(hit, "points").front() == '-' ? "" : "+") + number_of(hit, "points") : kind;
  std::string out = what + std::string(what.size() < 10 ? 10 - what.size() : 1, ' ') + text_of(hit, "rule") + " (" + text_of(hit, "at") + "): " + text_of(hit, "why");
  if (!text_of(hit, "recipient").empty()) out += ", for " + text_of(hit, "recipient");
  if (says_yes(hit, "shadow")) out += " [shadow: not counted]";
  if (says_yes(hit, "off")) out += " [switched off]";
  return out;
}

std::string fate_text(const std::string& who, const json& copy) {
  auto action = text_of(copy, "action");
  std::string out = address(who) + ": ";
  if (action == "accept") out += "to be put in " + text_of(copy, "folder");
  else if (action == "quarantine") out += "held" + (text_of(copy, "class").empty() ? "" : ", class " + text_of(copy, "class"));
  else out += action + (text_of(copy, "reply").empty() ? "" : ": " + text_of(copy, "reply"));
  if (!text_of(copy, "redirect").empty()) out += ", redirected to " + text_of(copy, "redirect");
  return out + ", " + number_of(copy, "score") + " points";
}

void add_judged(Page& page, const json& judged) {
  auto time = when(judged);
  std::string came = "came from " + text_of(judged, "ip");
  if (!text_of(judged, "name").empty()) came += " (" + text_of(judged, "name") + ")";
  came += ", which calls itself " + (text_of(judged, "helo").empty() ? "nothing" : text_of(judged, "helo"));
  came += text_of(judged, "tls").empty() ? ", without TLS" : ", by " + text_of(judged, "tls");
  if (!text_of(judged, "login").empty()) came += ", sent by our user " + text_of(judged, "login");
  if (!text_of(judged, "relay").empty()) came += ", handed over by " + text_of(judged, "relay");
  page.at(time, came + ", " + text_of(judged, "size") + " octets, session " + text_of(judged, "session"));
  if (judged.contains("facts") && judged["facts"].is_object()) page.at(time, "found: " + results_of(judged["facts"]));
  if (judged.contains("hits") && judged["hits"].is_array()) {
    for (const auto& hit : judged["hits"]) page.at(time, "rule   " + hit_text(hit));
  }
  page.at(time, "judged " + text_of(judged, "verdict") + ", " + number_of(judged, "score") + " points, by rules " + text_of(judged, "rules"));
  if (judged.contains("recipients") && judged["recipients"].is_object()) {
    for (const auto& [who, copy] : judged["recipients"].items()) page.at(time, "       " + fate_text(who, copy));
  }
  page.at(time, "answer \"" + text_of(judged, "reply") + "\"");
}

std::string refused_text(const json& event) {
  auto stage = text_of(event, "stage");
  std::string out;
  if (stage == "connect") out = "refused at the door: ";
  else if (stage == "mail") out = "refused the sender " + address(text_of(event, "from")) + ": ";
  else if (stage == "rcpt") out = "refused the recipient " + address(text_of(event, "to")) + " of a message from " + address(text_of(event, "from")) + ": ";
  else if (stage == "store") out = "could not be stored: ";
  else out = "refused the message before it was judged: ";
  out += "\"" + text_of(event, "reply") + "\"";
  if (!text_of(event, "rule").empty()) out += ", by rule " + text_of(event, "rule") + " (" + text_of(event, "at") + "): " + text_of(event, "why");
  if (!text_of(event, "ip").empty()) out += ", client " + text_of(event, "ip");
  if (!text_of(event, "helo").empty()) out += " (" + text_of(event, "helo") + ")";
  if (!text_of(event, "so_far").empty()) out += "; number " + text_of(event, "so_far") + " of this session";
  return out;
}

void add_stored(Page& page, const json& event) {
  auto time = when(event);
  if (event.contains("copies") && event["copies"].is_array()) {
    for (const auto& copy : event["copies"]) {
      page.at(time, "stored for " + text_of(copy, "account") + " in " + text_of(copy, "mailbox") + ", UID " + text_of(copy, "uid"));
    }
  }
  if (event.contains("queued") && event["queued"].is_array()) {
    for (const auto& entry : event["queued"]) page.at(time, "queued for " + text_of(entry, "destination") + ", entry " + text_of(entry, "entry"));
  }
  if (!text_of(event, "more").empty()) page.at(time, "and " + text_of(event, "more") + " more");
}

std::string passed_text(const json& event, const std::string& what) {
  return what + " from " + text_of(event, "from") + " to " + text_of(event, "mailbox") + " of " + text_of(event, "account") + ", UID " + text_of(event, "uid");
}

std::string attempt_text(const json& event, const std::string& what) {
  std::string out = what + " to " + address(text_of(event, "to"));
  if (!text_of(event, "host").empty()) out += " at " + text_of(event, "host");
  return out + ": " + text_of(event, "reply") + (says_yes(event, "maybe_twice") ? " (it may have arrived all the same)" : "");
}

std::string reported_text(const json& event) {
  std::string out = "because of " + address(text_of(event, "to")) + " (" + text_of(event, "what") + "): ";
  if (!text_of(event, "by").empty()) out += "wrote " + text_of(event, "by");
  if (says_yes(event, "held")) out += std::string(text_of(event, "by").empty() ? "" : " and ") + "kept a copy in quarantine";
  return out;
}

void add_event(Page& page, const json& event) {
  if (!event.is_object()) return;
  auto kind = text_of(event, "event");
  auto time = when(event);
  if (kind == "stored") return add_stored(page, event);
  if (kind == "refused") return page.at(time, refused_text(event));
  if (kind == "moved" || kind == "copied") return page.at(time, passed_text(event, kind));
  if (kind == "released") return page.at(time, passed_text(event, "released"));
  if (kind == "expunged") return page.at(time, "expunged from " + text_of(event, "mailbox") + " of " + text_of(event, "account") + ", UID " + text_of(event, "uid"));
  if (kind == "sent") return page.at(time, attempt_text(event, "handed on"));
  if (kind == "deferred") return page.at(time, attempt_text(event, "not yet handed on"));
  if (kind == "failed") return page.at(time, attempt_text(event, "given up"));
  if (kind == "reported") return page.at(time, reported_text(event));
  std::string rest;
  for (const auto& [name, value] : event.items()) {
    if (name != "event" && name != "time") rest += " " + name + "=" + text_of(event, name.c_str());
  }
  page.at(time, kind + rest);
}

void add_queue(Page& page, const json& queue) {
  for (const auto& entry : queue) {
    page.line("waits  in the queue for " + text_of(entry, "destination") + ", entry " + text_of(entry, "id") + ", next attempt " +
              text_of(entry, "due") + ", given up " + text_of(entry, "expires") +
              (text_of(entry, "why").empty() ? "" : ": " + text_of(entry, "why")));
  }
}

}  // namespace

std::string why_in_words(const json& answer) {
  Page page;
  auto part = [&](const char* name) { return answer.is_object() && answer.contains(name) ? answer[name] : json(); };
  auto line = part("line"), judged = part("judged");
  page.line((text_of(answer, "what") == "session" ? "Session " : "Message ") + text_of(answer, "id"));
  if (line.is_object() && text_of(answer, "what") == "message") {
    auto author = text_of(line, "author");
    page.line("  from " + address(text_of(line, "from")) + (author == text_of(line, "from") ? "" : ", in its header " + author));
    auto all = text_of(line, "recipients");
    bool some = line.contains("to") && line["to"].is_array();
    page.line("  to " + text_of(line, "to") + (some && all != std::to_string(line["to"].size()) ? " ... " + all + " in all" : ""));
    page.line("  subject " + text_of(line, "subject"));
    if (!text_of(line, "message_id").empty()) page.line("  Message-ID " + text_of(line, "message_id"));
  }
  page.line("");
  // What was refused while it came stands before what was decided of it.
  auto events = part("events");
  bool told = !judged.is_object();
  for (const auto& event : events) {
    bool later = text_of(event, "event") != "refused" || text_of(event, "stage") == "store";
    if (!told && later) {
      add_judged(page, judged);
      told = true;
    }
    add_event(page, event);
  }
  if (!told) add_judged(page, judged);
  add_queue(page, part("queue"));
  if (!part("messages").empty()) page.line("brought the messages " + text_of(answer, "messages"));
  return page.take();
}

}  // namespace postern::admin
