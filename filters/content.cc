// What a message holds for the rules: its text, its links, its attachments.
#include "filters/content.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "filters/links.h"
#include "filters/message_signs.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxHtmlForLinks = 512 * 1024;
constexpr std::size_t kMaxDecoded = 8 << 20;

// Octets that are decoded of a message beside its text, which has a bound of its own.
class Budget {
 public:
  // False: too much was decoded already.
  bool take(const mail::Part& part) {
    if (left_ == 0) return false;
    left_ -= std::min<std::size_t>(left_, part.body_size());
    return true;
  }

 private:
  std::size_t left_ = kMaxDecoded;
};

// Octets after decoding, exact for what a mailer writes, without decoding what can be counted.
std::uint64_t decoded_size(std::string_view message, const mail::Part& part, Budget& budget) {
  if (part.encoding == mail::TransferEncoding::identity) return part.body_size();
  // Beyond the budget what it has in the message is said: never too little.
  if (part.encoding != mail::TransferEncoding::base64) return budget.take(part) ? mail::part_octets(message, part).size() : part.body_size();
  std::uint64_t letters = 0;
  for (char c : mail::body_of(message, part)) letters += is_alpha(c) || is_digit(c) || c == '+' || c == '/' ? 1 : 0;
  return letters * 3 / 4;
}

std::vector<Link> links_of(std::string_view message, const mail::PartTable& table, std::string_view text, Budget& budget) {
  LinkFinder finder;
  for (const auto& part : table.parts) {
    if (part.kind != mail::Part::Kind::leaf || !part.is("text", "html") || !budget.take(part)) continue;
    finder.in_html(mail::part_text(message, part, kMaxHtmlForLinks));
  }
  finder.in_text(text);
  return finder.take();
}

std::vector<Attachment> attachments_of(std::string_view message, const mail::PartTable& table, Budget& budget) {
  std::vector<Attachment> out;
  for (const auto& part : table.parts) {
    if (part.kind == mail::Part::Kind::multipart) continue;
    std::string file = part.file_name();
    bool is_text = part.type.type == "text" && file.empty();
    if (part.kind == mail::Part::Kind::leaf && is_text && part.disposition.kind != "attachment") continue;
    out.push_back({std::move(file), part.type.type + "/" + part.type.subtype, decoded_size(message, part, budget)});
  }
  return out;
}

io::Task<std::optional<mail::PartTable>> parse_on_worker(Octets octets, io::WorkerPool& workers) {
  auto job = [octets] { return mail::parse(octets.view()); };
  mail::PartTable table = co_await workers.run(std::move(job));
  std::optional<mail::PartTable> out(std::move(table));
  co_return out;
}

std::optional<mail::PartTable> no_parts(std::string) { return std::nullopt; }

}  // namespace

Content content_of(std::string_view message, const mail::PartTable& table) {
  Content out;
  Budget budget;
  out.text = mail::readable_text(message, table);
  out.links = links_of(message, table, out.text, budget);
  out.attachments = attachments_of(message, table, budget);
  out.opaque = table.truncated;
  return out;
}

MessageSigns signs_of(std::string_view message, const mail::PartTable& table, const HeaderContext& context, const Content& content) {
  MessageSigns out;
  out.header = header_signs(message, table, context);
  TextContext around;
  mail::HeaderBlock header(message);
  const auto* subject = header.find("Subject");
  auto readable = subject == nullptr ? std::string() : mail::readable(subject->raw);
  around.subject = readable;
  around.recipients = context.recipients;
  around.links = static_cast<std::size_t>(std::count_if(content.links.begin(), content.links.end(), [](const Link& link) { return !link.inside; }));
  auto is_image = [](const Attachment& attachment) { return attachment.type.starts_with("image/"); };
  auto images = static_cast<std::size_t>(std::count_if(content.attachments.begin(), content.attachments.end(), is_image));
  around.images = images;
  around.attachments = content.attachments.size() - images;
  out.text = text_signs(content.text, around);
  return out;
}

Parts::Parts(Octets octets, io::WorkerPool* workers)
    : octets_(std::move(octets)),
      workers_(workers),
      large_("message parts", [octets = octets_, workers] { return parse_on_worker(octets, *workers); }, no_parts) {}

const mail::PartTable& Parts::now() {
  CHECK(!on_worker());
  if (!table_) table_ = mail::parse(octets_.view());
  return *table_;
}

io::Task<const mail::PartTable*> Parts::get() {
  if (!on_worker()) co_return &now();
  const std::optional<mail::PartTable>* table = co_await large_.get();
  if (!*table) throw std::runtime_error("the message cannot be taken apart");
  co_return &**table;
}

io::Task<Content> decode_on_worker(Octets octets, std::shared_ptr<Parts> parts, io::WorkerPool& workers) {
  const mail::PartTable* table = co_await parts->get();
  // The job keeps the table, too: it may outlive who waits for it.
  auto job = [octets, parts, table] { return content_of(octets.view(), *table); };
  Content content = co_await workers.run(std::move(job));
  co_return content;
}

io::Task<std::optional<MessageSigns>> signs_on_worker(Octets octets, std::shared_ptr<Parts> parts, std::shared_ptr<Memo<Content>> content,
                                                      HeaderContext context, io::WorkerPool& workers) {
  const mail::PartTable* table = co_await parts->get();
  const Content* decoded = co_await content->get();
  std::optional<MessageSigns> out;
  if (!decoded->problem.empty()) co_return out;
  // The job keeps what it reads: it may outlive who waits for it.
  auto job = [octets, parts, table, content, decoded, context = std::move(context)] { return signs_of(octets.view(), *table, context, *decoded); };
  MessageSigns found = co_await workers.run(std::move(job));
  out = std::move(found);
  co_return out;
}

}  // namespace postern::filters
