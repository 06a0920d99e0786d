#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::smtp {

// What a session needs of the configuration; immutable, a reload makes a new one.
struct Settings {
  std::string hostname;
  std::string draft_directory;                     // where large bodies lie while they come in
  std::uint64_t max_size = 50ULL << 20;
  std::uint64_t recipients_per_message = 1000;
  std::uint64_t errors_per_session = 10;
  std::uint64_t received_limit = 50;               // Received fields that mean a loop, RFC 5321 6.3
  std::vector<Network> xclient;
  std::vector<Network> trusted;
  std::vector<Network> proxy;
  std::chrono::milliseconds greet_delay{100};      // a stranger who speaks before it ends is a bot
  std::chrono::milliseconds command_timeout{300'000};   // RFC 5321 4.5.3.2.7
  std::chrono::milliseconds data_timeout{180'000};      // RFC 5321 4.5.3.2.5, between two pieces
  std::chrono::milliseconds body_timeout{1'800'000};    // for the whole body
  std::chrono::milliseconds tls_timeout{30'000};
  std::chrono::milliseconds reply_timeout{60'000};      // the client does not read our reply
  config::Language language = config::Language::english;   // of our own refusals, where the recipient's domain has none
  std::map<std::string, config::Language, std::less<>> languages;   // by domain

  config::Language language_of(std::string_view recipient) const {
    auto found = languages.find(ascii_lowered(recipient.substr(std::min(recipient.size(), recipient.rfind('@') + 1))));
    return found != languages.end() ? found->second : language;
  }
};

}  // namespace postern::smtp
