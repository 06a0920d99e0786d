// Free mail providers: the large ones of the world, and of Vietnam.
#include "filters/free_mail.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "filters/dmarc.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// The label before the public suffix, at any country's suffix.
constexpr std::array<std::string_view, 8> kAnySuffix = {"gmx", "hotmail", "live", "mail2000", "outlook", "rocketmail", "yahoo", "yandex"};
constexpr std::array<std::string_view, 46> kDomains = {
    "126.com", "139.com", "163.com", "abv.bg", "aim.com", "aol.com", "bigpond.com", "bk.ru", "centrum.cz", "daum.net", "fastmail.com", "fastmail.fm",
    "free.fr", "gmail.com", "googlemail.com", "hanmail.net", "hushmail.com", "icloud.com", "inbox.lv", "inbox.ru", "interia.pl", "laposte.net", "libero.it",
    "list.ru", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com", "o2.pl", "onet.pl", "orange.fr", "pm.me", "proton.me", "protonmail.com",
    "qq.com", "rambler.ru", "rediffmail.com", "seznam.cz", "sina.com", "t-online.de", "tutanota.com", "ukr.net", "web.de", "zoho.com"};
static_assert(std::is_sorted(kDomains.begin(), kDomains.end()));

}  // namespace

bool is_free_mail(std::string_view domain) {
  std::string name = organizational_domain(domain.substr(0, 255));
  if (std::binary_search(kDomains.begin(), kDomains.end(), name)) return true;
  std::string_view label = std::string_view(name).substr(0, name.find('.'));
  return label.size() < name.size() && std::find(kAnySuffix.begin(), kAnySuffix.end(), label) != kAnySuffix.end();
}

std::string_view large_provider(std::string_view registrable) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kProviders = {{
      {"gmail.com", "google"}, {"google.com", "google"}, {"googlemail.com", "google"}, {"hotmail.com", "microsoft"}, {"outlook.com", "microsoft"},
      {"live.com", "microsoft"}, {"yahoo.com", "yahoo"}, {"yahoodns.net", "yahoo"}, {"icloud.com", "apple"}, {"apple.com", "apple"}, {"aol.com", "yahoo"},
      {"me.com", "apple"}, {"mail.ru", "mail.ru"}}};
  for (auto [domain, provider] : kProviders) {
    if (iequals(registrable, domain)) return provider;
  }
  return {};
}

}  // namespace postern::filters
