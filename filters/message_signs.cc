// The signs of header and text under one roof.
#include "filters/message_signs.h"

#include <unordered_map>

namespace postern::filters {
namespace {

// Where each sign stands in all_signs().
const std::unordered_map<std::string_view, std::size_t>& places() {
  static const auto kPlaces = [] {
    std::unordered_map<std::string_view, std::size_t> out;
    for (const auto& sign : all_signs()) out.emplace(sign.name, out.size());
    return out;
  }();
  return kPlaces;
}

}  // namespace

const std::vector<SignInfo>& all_signs() {
  static const auto kAll = [] {
    std::vector<SignInfo> out(kHeaderSigns.begin(), kHeaderSigns.end());
    out.insert(out.end(), kTextSigns.begin(), kTextSigns.end());
    return out;
  }();
  return kAll;
}

const SignInfo* find_sign(std::string_view name) {
  auto found = places().find(name);
  return found == places().end() ? nullptr : &all_signs()[found->second];
}

std::optional<double> MessageSigns::value(std::string_view name) const {
  auto found = places().find(name);
  if (found == places().end()) return std::nullopt;
  auto at = found->second;
  return at < HeaderSigns::kSize ? header.value(static_cast<HeaderSign>(at)) : text.signs.value(static_cast<TextSign>(at - HeaderSigns::kSize));
}

bool MessageSigns::set(std::string_view name, double value) {
  auto found = places().find(name);
  if (found == places().end()) return false;
  auto at = found->second;
  if (at < HeaderSigns::kSize) header.set(static_cast<HeaderSign>(at), value);
  else text.signs.set(static_cast<TextSign>(at - HeaderSigns::kSize), value);
  return true;
}

}  // namespace postern::filters
