#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/document.h"

// Reading one table key by key: what is not asked for is an unknown key.
namespace postern::config {

// Collects what is wrong, as "FILE:LINE: text".
class Report {
 public:
  explicit Report(Loaded& into, std::string file) : into_(into), file_(std::move(file)) {}
  void mistake(int line, const std::string& text) { into_.mistakes.push_back(at(line) + text); }
  void warning(int line, const std::string& text) { into_.warnings.push_back(at(line) + text); }

 private:
  std::string at(int line) const { return file_ + (line > 0 ? ":" + std::to_string(line) : "") + ": "; }
  Loaded& into_;
  std::string file_;
};

// Each function leaves `into` alone when the key is absent or wrong; a wrong one is reported.
// `table` may be nullptr (the section is absent): then nothing is read.
class Section {
 public:
  // `title` is how the section is called in texts: "[smtp]", "" for the top.
  Section(Report& report, const Value* table, std::string title);

  void text(std::string_view key, std::string& into);
  void boolean(std::string_view key, bool& into);
  void count(std::string_view key, std::uint64_t& into, std::uint64_t maximum);
  void octets(std::string_view key, Octets& into, Octets minimum);
  void duration(std::string_view key, Milliseconds& into, Milliseconds minimum);
  void durations(std::string_view key, std::vector<Milliseconds>& into, Milliseconds minimum);   // never empty
  void rate(std::string_view key, Rate& into);
  void endpoints(std::string_view key, std::vector<Endpoint>& into, std::uint16_t default_port);
  void endpoint(std::string_view key, std::optional<Endpoint>& into);
  void networks(std::string_view key, std::vector<Network>& into);
  void level(std::string_view key, log::Level& into);
  // The word that is one of `words`: its index.
  std::optional<std::size_t> word(std::string_view key, const std::vector<std::string_view>& words);
  // A table below this one; nullptr when absent or no table.
  const Value* table(std::string_view key);

  // The member itself, marked as known.
  const Member* find(std::string_view key);
  bool has(std::string_view key) const;
  // Of the key, or of the section where the key is absent; 0 without either.
  int line(std::string_view key) const;
  Report& report() { return report_; }

  // Reports the keys that nobody asked for.  `top_keys`: the names that belong above all sections.
  void finish(const std::vector<std::string_view>& top_keys = {});

 private:
  const Value* of_kind(std::string_view key, Value::Kind kind, std::string_view wanted);
  std::string named(std::string_view key) const;

  Report& report_;
  const Value* table_;
  std::string title_;
  std::vector<std::string_view> known_;
};

}  // namespace postern::config
