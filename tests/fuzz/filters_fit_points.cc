// Rule files, as far as `postern rules fit` reads them: each place lies in the text, and a number put there is found there again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/fit_points.h"
#include "gateway/base/check.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::map<std::string, double> points;
  auto places = points_places(text);
  std::size_t end = 0;
  for (const auto& place : places) {
    CHECK(place.offset >= end && place.offset + place.length <= text.size());
    end = place.offset + place.length;
    if (place.plain) points[place.name()] = 3.25;
  }
  for (const auto& place : places) {
    if (!place.plain) points.erase(place.name());   // a name may stand twice
  }
  auto changed = with_points(text, points);
  CHECK(changed.has_value());
  auto again = points_places(*changed);
  CHECK(again.size() == places.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    CHECK(again[i].name() == places[i].name() && again[i].line == places[i].line);
    if (points.contains(again[i].name())) CHECK(again[i].points == 3.25);
  }
  (void)points_diff("rules/x.lua", text, *changed);
  return 0;
}
