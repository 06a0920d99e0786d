// What rules are made of, in words: `postern doc rules`.
#include "filters/lua/reference.h"

#include <array>

#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"
#include "filters/lua/verdict.h"
#include "filters/message_signs.h"

namespace postern::filters::lua {
namespace {

using smtp::Stage;

constexpr std::array kStages = {Stage::connect, Stage::mail, Stage::rcpt, Stage::message, Stage::verdict, Stage::deliver};

std::string_view when(Stage stage) {
  switch (stage) {
    case Stage::connect: return "before the greeting";
    case Stage::mail: return "at MAIL FROM";
    case Stage::rcpt: return "at each RCPT TO whose recipient exists here";
    case Stage::message: return "when the message is there";
    case Stage::verdict: return "when all points are known";
    case Stage::deliver: return "once for each recipient";
  }
  return "";
}

std::string_view gets(Stage stage) {
  if (stage == Stage::connect) return "conn";
  return stage == Stage::rcpt || stage == Stage::deliver ? "mail, rcpt" : "mail";
}

// In a cell of a table a bar would end it.
std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

void row(std::string& out, std::string_view name, std::string_view about) { out += "| `" + std::string(name) + "` | " + cell(about) + " |\n"; }

void table(std::string& out, std::string_view first) { out += "\n| " + std::string(first) + " | |\n| --- | --- |\n"; }

void add_stages(std::string& out) {
  out += "\n## Stages\n\n| stage | runs | check gets | may return |\n| --- | --- | --- | --- |\n";
  for (auto stage : kStages) {
    out += "| `" + std::string(smtp::name(stage)) + "` | " + std::string(when(stage)) + " | " + std::string(gets(stage)) + " | " + allowed_words(stage) + " |\n";
  }
}

void add_handle(std::string& out, std::string_view handle, bool late, std::string_view title) {
  out += "\n### " + std::string(title) + "\n";
  table(out, "field");
  for (const auto& field : field_infos(handle)) {
    if (field.late == late) row(out, field.name, field.about);
  }
}

void add_facts(std::string& out) {
  out += "\n## Facts\n\nReading a fact waits until it is known; each is found once for all rules. Texts are \"\" where there is nothing. They cannot be changed, and a\n"
         "field that does not exist is an error that names the nearest one.\n";
  add_handle(out, "conn", false, "conn");
  add_handle(out, "mail", false, "mail, at every stage but connect");
  add_handle(out, "mail", true, "mail, from stage message on");
  add_handle(out, "rcpt", false, "rcpt");
  table(out, "from stage message on");
  for (const auto& field : field_infos("rcpt")) {
    if (field.late) row(out, field.name, field.about);
  }
  for (const auto& fact : fact_infos()) {
    out += "\n### " + std::string(fact.path) + "\n";
    table(out, "field");
    for (const auto& field : fact.fields) row(out, field.name, field.about);
  }
  for (const auto& fact : entry_infos()) {
    out += "\n### each of " + std::string(fact.path) + "\n";
    table(out, "field");
    for (const auto& field : fact.fields) row(out, field.name, field.about);
  }
}

void add_signs(std::string& out) {
  out += "\n### mail.signs\n";
  table(out, "sign");
  for (const auto& sign : all_signs()) row(out, sign.name, sign.says);
  out += "\n### the signs of links\n";
  table(out, "sign");
  for (auto word : link_sign_words()) row(out, word, link_sign_reason(word));
  out += "\n### the signs of files\n";
  table(out, "sign");
  for (auto word : file_sign_words()) row(out, word, file_sign_reason(word));
}

void add_tools(std::string& out) {
  out += "\n## Verdicts and tools\n";
  table(out, "name");
  for (const auto& tool : tool_infos()) row(out, tool.usage, tool.about);
}

void add_examples(std::string& out) {
  out += "\n## Examples\n\nEach is a file of the rules folder, and passes its tests.\n";
  for (const auto& example : rule_examples()) {
    out += "\n### " + std::string(example.title) + "\n\n`rules/" + std::string(example.file) + "`:\n\n```lua\n" + std::string(example.text) + "```\n";
  }
}

}  // namespace

std::string rules_reference() {
  std::string out = "# Postern: what rules are made of\n\nA rule is a piece of Lua 5.4 in a file of the rules folder. It says at which stage it runs, looks at facts, and returns a\n"
                    "verdict with a reason for people, or nothing. `postern-rules(7)` tells how rules are read together, tested and reloaded.\n";
  add_stages(out);
  add_facts(out);
  add_signs(out);
  add_tools(out);
  add_examples(out);
  return out;
}

}  // namespace postern::filters::lua
