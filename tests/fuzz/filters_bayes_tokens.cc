// Tokens of any octets are in order, within their places and always the same; what was learned of them is taken back exactly.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/bayes_model.h"
#include "filters/bayes_tokens.h"
#include "filters/content.h"
#include "gateway/base/check.h"
#include "gateway/mail/mime.h"

using namespace postern;
using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  mail::PartTable parts = mail::parse(message);
  Content content = content_of(message, parts);
  BayesInput input;
  input.header = mail::header_of(message, parts.root());
  input.text = content.text;
  input.links = content.links;
  input.attachments = content.attachments;
  input.html = message;   // what is no valid UTF-8 as well
  input.parts = &parts;
  input.client_name = message.substr(0, std::min<std::size_t>(size, 300));
  auto tokens = bayes_tokens(input);
  CHECK(tokens == bayes_tokens(input));
  std::array<std::size_t, kBayesKinds> found{};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    CHECK(tokens[i] != 0 && tokens[i] <= kBayesKeyMask && (i == 0 || tokens[i - 1] < tokens[i]));
    ++found[static_cast<std::size_t>(kind_of(tokens[i]))];
  }
  for (std::size_t kind = 0; kind < kBayesKinds; ++kind) CHECK(found[kind] <= kBayesPlaces[kind]);

  static_cast<void>(decode_memory(message));
  input.text = message;
  auto raw = bayes_tokens(input);
  BayesModel model(10'000);
  BayesDigest digest = bayes_digest(message);
  auto learned = model.learn(3, digest, BayesClass::spam, raw, std::nullopt, std::nullopt, 9);
  std::optional<std::string> own, everybody;
  for (const auto& row : learned.rows) {
    if (row.key == memory_row(3, digest)) own = row.value;
    if (row.key == memory_row(0, digest)) everybody = row.value;
  }
  CHECK(model.forget(3, digest, own, everybody).outcome == BayesChange::Outcome::forgotten);
  CHECK(model.tokens() == 0 && model.totals(0) == BayesTotals() && model.totals(3) == BayesTotals());
  return 0;
}
