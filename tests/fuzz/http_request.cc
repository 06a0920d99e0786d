// HTTP requests and forms: whatever comes, reading ends, and what was taken is what was said.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/http/message.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto end = text.find("\r\n\r\n");
  auto head = http::parse_head(text.substr(0, end == std::string_view::npos ? text.size() : end + 4));
  if (head.status != 200 && (head.status < 400 || head.status > 599)) std::abort();
  if (head.status == 200) {
    const auto& request = head.request;
    if (request.method.empty() || !request.path.starts_with('/') || request.fields.size() > http::kMaxFields) std::abort();
    if (request.path.find_first_of(" \r\n\t?") != std::string::npos) std::abort();
    for (const auto& [name, value] : request.fields) {
      if (name.empty() || (name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) std::abort();
    }
  }
  http::Request form;
  form.body = end == std::string_view::npos ? text : text.substr(end + 4);
  for (std::string type : {std::string("application/x-www-form-urlencoded"), std::string("multipart/form-data; boundary=b"), std::string(head.request.field("content-type"))}) {
    form.fields = {{"content-type", type}};
    auto pairs = http::form_of(form);
    if (pairs && pairs->size() > 64) std::abort();
  }
  return 0;
}
