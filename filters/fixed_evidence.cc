// Evidence that was given: answers from its source's fields.
#include "filters/fixed_evidence.h"

#include "filters/content.h"
#include "filters/message_signs.h"
#include "gateway/base/clock.h"
#include "gateway/io/loop.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

template <class Fact>
io::Task<const Fact*> give(FixedEvidence& source, const Fact& fact) {
  ++source.asked;
  if (source.late) co_await io::sleep_until(in(source.lateness));
  co_return &fact;
}

class Connection : public ConnectionEvidence {
 public:
  explicit Connection(FixedEvidence& source) : source_(source) {}
  io::Task<const Reputation*> reputation() override { return give(source_, source_.reputation); }

 private:
  FixedEvidence& source_;
};

class Message : public MessageEvidence {
 public:
  Message(FixedEvidence& source, Octets octets, const HeaderContext& context) : source_(source), octets_(std::move(octets)) {
    auto table = mail::parse(octets_.view());
    signs_ = signs_of(octets_.view(), table, context, content_of(octets_.view(), table));
    for (const auto& [name, value] : source_.signs) signs_.set(name, value);
    content_.text = source_.text ? *source_.text : std::string(octets_.view().substr(mail::HeaderBlock(octets_.view()).body_offset()));
    content_.links = source_.links;
    content_.attachments = source_.attachments;
    content_.opaque = source_.opaque;
  }
  io::Task<const Spf*> spf() override { return give(source_, source_.spf); }
  io::Task<const Dkim*> dkim() override { return give(source_, source_.dkim); }
  io::Task<const Dmarc*> dmarc() override { return give(source_, source_.dmarc); }
  io::Task<const Arc*> arc() override { return give(source_, source_.arc); }
  io::Task<const Virus*> virus() override { return give(source_, source_.virus); }
  io::Task<const Files*> files() override { return give(source_, source_.files); }
  const Octets& octets() const override { return octets_; }
  const Content* content() override { return &content_; }
  io::Task<void> decode() override { co_return; }
  const MessageSigns* signs() override { return &signs_; }
  io::Task<void> find_signs() override { co_return; }

 private:
  FixedEvidence& source_;
  Octets octets_;
  Content content_;
  MessageSigns signs_;
};

}  // namespace

std::unique_ptr<ConnectionEvidence> FixedEvidence::connection(const smtp::Client&) { return std::make_unique<Connection>(*this); }

std::unique_ptr<MessageEvidence> FixedEvidence::message(const smtp::Client&, const smtp::Sender& sender, Octets received, Arrival arrival) {
  HeaderContext context{sender.address, std::move(arrival.recipients), arrival.when};
  return std::make_unique<Message>(*this, std::move(received), context);
}

}  // namespace postern::filters
