#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

// Where points stand in a rule file, and the same file with other points.  Points stand in the rule that gives them:
//
//   rule "false-link" {
//     points = 2,                                    -- return score("a link shows ...")
//   rule "missing-headers" {
//     points = { From = 2, ["Message-ID"] = 0.5 },   -- return score("From", "there is no From")
//
// Only the digits of a number are replaced: comments, order and layout are the administrator's.  Pure; any thread.
namespace postern::filters {

struct PointsPlace {
  std::string rule;
  std::string variant;        // "From"; "": the rule has one number
  int line = 0;               // from 1
  std::size_t offset = 0;     // of the number, its minus included
  std::size_t length = 0;
  double points = 0;
  bool spam = true;           // it has no minus: the rule speaks for spam.  A rule for ham that is worth nothing gives -0 points
  bool plain = true;          // false: an expression, which is left to whoever wrote it; the fields above are of its first word

  // "false-link", "missing-headers/Message-ID"
  std::string name() const { return variant.empty() ? rule : rule + "/" + variant; }
};

inline constexpr std::size_t kMaxPointsPlaces = 20'000;      // of a file; what comes later is not looked at
inline constexpr std::size_t kMaxRuleFile = 4'000'000;       // octets; a longer text has no places

// In the order of the text; one pass over it.  Text that is no Lua gives what of it reads as rules, and never an error: it was loaded before.
std::vector<PointsPlace> points_places(std::string_view text);

// `points` by PointsPlace::name(); names that are not in the text are passed over.  An error where a number that differs is an expression.
Result<std::string> with_points(std::string_view text, const std::map<std::string, double>& points);

// "2", "2.5", "-0.3", "-0": at most two places behind the point.
std::string points_text(double points);

// A unified diff (as `diff -u`, three lines of context) of two texts with the same number of lines; "": they are the same.
std::string points_diff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace postern::filters
