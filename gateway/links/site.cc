// Which request leads to which page, and the frame around all of them.
#include "gateway/links/site.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/html.h"

namespace postern::links {
namespace {

using Kind = directory::LinkTokens::Read::Kind;

// RFC 9111 5.2.2.5; a page says what lies in somebody's quarantine, and its URL is a secret.
void add_fields(http::Answer& answer) {
  answer.fields = {{"Cache-Control", "no-store"},
                   {"Referrer-Policy", "no-referrer"},
                   {"Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
                   {"X-Frame-Options", "DENY"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"X-Robots-Tag", "noindex, nofollow"}};
}

}  // namespace

std::string_view in_language(config::Language language, std::string_view english, std::string_view vietnamese) {
  return language == config::Language::vietnamese ? vietnamese : english;
}

std::string paragraph(std::string_view text) { return "<p>" + mail::html_escaped(text) + "</p>\n"; }

std::string form(std::string_view button, std::string_view fields) {
  return "<form method=\"post\">\n" + std::string(fields) + "<p><button name=\"do\" value=\"yes\">" + mail::html_escaped(button) + "</button></p>\n</form>\n";
}

http::Answer Site::page_of(const Shown& shown) const {
  http::Answer out;
  out.status = shown.status;
  out.type = "text/html; charset=utf-8";
  out.body = "<!DOCTYPE html>\n<html lang=\"" + std::string(in_language(shown.language, "en", "vi")) +
             "\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>" + mail::html_escaped(shown.title) +
             "</title></head>\n<body>\n<h1>" + mail::html_escaped(shown.title) + "</h1>\n" + shown.html + "<hr>\n" + paragraph(parts_.config.hostname) + "</body>\n</html>\n";
  add_fields(out);
  return out;
}

http::Answer Site::dressed(http::Answer refusal) const {
  add_fields(refusal);
  return refusal;
}

// Of a link that names nobody: what the browser asks for first.
config::Language Site::language_for(const http::Request& request) const {
  auto wanted = request.field("accept-language");
  if (istarts_with(wanted, "vi")) return config::Language::vietnamese;
  return istarts_with(wanted, "en") ? config::Language::english : parts_.config.language;
}

http::Answer Site::no_good(const http::Request& request, IpAddress client, bool expired) const {
  Shown shown;
  shown.language = language_for(request);
  bool patient = parts_.count_wrong(client);
  log::info("link.refused", {{"ip", client.to_string()}, {"why", !patient ? "too many wrong ones" : expired ? "expired" : "forged"}});
  if (!patient) {
    shown.status = 429;
    shown.title = in_language(shown.language, "Too many attempts", "Quá nhiều lần thử");
    shown.html = paragraph(in_language(shown.language, "Too many wrong links were opened from your address. Try again later.",
                                       "Có quá nhiều liên kết sai được mở từ địa chỉ của bạn. Hãy thử lại sau."));
  } else if (expired) {
    shown.status = 410;
    shown.title = in_language(shown.language, "This link is too old", "Liên kết này đã hết hạn");
    shown.html = paragraph(in_language(shown.language, "Its time is over. Ask for a new one.", "Liên kết đã quá thời hạn. Hãy xin một liên kết mới."));
  } else {
    shown.status = 404;
    shown.title = in_language(shown.language, "This link is not valid", "Liên kết này không hợp lệ");
    shown.html = paragraph(in_language(shown.language, "It was not made here, or a part of it is missing. Copy the whole link from your mail.",
                                       "Liên kết không được tạo ở đây, hoặc bị thiếu một phần. Hãy chép trọn liên kết trong thư của bạn."));
  }
  return page_of(shown);
}

io::Task<http::Answer> Site::answer(http::Request request, IpAddress client) {
  auto rest = std::string_view(request.path).substr(1);
  auto slash = rest.find('/');
  Page* page = nullptr;
  for (const auto& each : pages_) {
    if (each->path() == rest.substr(0, slash)) page = each.get();
  }
  if (page == nullptr || slash == std::string_view::npos) co_return dressed(http::refusal(404, "There is nothing here."));
  if (!request.only_looks() && request.method != "POST") {
    auto refused = dressed(http::refusal(405, "Only GET, HEAD and POST are answered here."));
    refused.fields.emplace_back("Allow", "GET, HEAD, POST");
    co_return refused;
  }
  auto tokens = parts_.keys.current();
  if (!tokens) co_return dressed(http::refusal(503, "Try again later."));
  auto read = tokens->read(page->purpose(), rest.substr(slash + 1), parts_.clock.now());
  if (!read.ok()) co_return no_good(request, client, read.kind == Kind::expired);
  auto shown = co_await visit(*page, std::move(request), std::move(read.body), client);
  co_return page_of(shown);
}

io::Task<Shown> Site::visit(Page& page, http::Request request, std::string body, IpAddress client) {
  Visit visit;
  visit.body = std::move(body);
  visit.client = client;
  Shown shown;
  if (request.only_looks()) {
    shown = co_await page.show(std::move(visit));
    co_return shown;
  }
  auto form = http::form_of(request);
  if (!form) {
    shown.status = 415;
    shown.language = language_for(request);
    shown.title = in_language(shown.language, "This form cannot be read", "Không đọc được biểu mẫu này");
    co_return shown;
  }
  visit.form = std::move(*form);
  shown = co_await page.act(std::move(visit));
  co_return shown;
}

}  // namespace postern::links
