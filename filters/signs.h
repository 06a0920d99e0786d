#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

// Signs: small observations about a message, each with a stable name and a sentence.  None of them judges; rules and
// fitted points do.  A sign is absent (0), seen (1, or a number), or unknown: what was needed to decide it is not there.
namespace postern::filters {

enum class SignKind : std::uint8_t {
  flag,      // 0 or 1
  number,    // how many, how much, or a share of 0 to 1, as the sentence says
  context,   // a flag that tells what sort of mail it is, or who carried it: good in combinations, never alone,
             // because a collection of mail tells its origin by it
  context_number,   // the same, a number
};

struct SignInfo {
  std::string_view name;   // snake_case; rules and learned points refer to it, so it never changes its meaning
  SignKind kind;
  std::string_view says;   // one sentence for people
};

// The values of all signs of an enum whose last member is `count_`.
template <class Sign>
class SignSet {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Sign::count_);

  void set(Sign sign, double value = 1) { values_[index(sign)] = value; }
  void set(Sign sign, bool seen) { values_[index(sign)] = seen ? 1 : 0; }
  template <class Number>
  void set(Sign sign, Number value) { values_[index(sign)] = static_cast<double>(value); }
  void set_unknown(Sign sign) { values_[index(sign)] = std::numeric_limits<double>::quiet_NaN(); }

  // nullopt: unknown.
  std::optional<double> value(Sign sign) const {
    double value = values_[index(sign)];
    if (value != value) return std::nullopt;
    return value;
  }
  bool has(Sign sign) const { return value(sign).value_or(0) != 0; }
  bool is_unknown(Sign sign) const { return !value(sign).has_value(); }

 private:
  static constexpr std::size_t index(Sign sign) { return static_cast<std::size_t>(sign); }
  std::array<double, kSize> values_{};
};

}  // namespace postern::filters
