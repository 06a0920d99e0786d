#pragma once

#include <optional>

#include "gateway/config/section.h"

// What users get from us to click on and to answer: public_url, language, [digest].
namespace postern::config {

void read_public_url(Section& top, Config& config);
// The key `language` of any section.
std::optional<Language> read_language(Section& section);
// Do [listen] links, public_url and [tls] fit together?  `listen` is that section, read already.
void check_links(Section& listen, const Config& config);
void read_digest(Section section, Config& config);

}  // namespace postern::config
