// What a scanner does with one message: decode each part, bound its archives, ask ClamAV.
#include "filters/scanner_work.h"

#include <chrono>

#include "gateway/base/text.h"
#include "gateway/mail/decode.h"

namespace postern::filters {
namespace {

using Clock = std::chrono::steady_clock;

// Attachments from before MIME lie in the text; ClamAV's mail parser finds them.
bool has_inline_attachment(std::string_view message) {
  for (std::string_view mark : {"\n=ybegin ", "(This file must be converted with BinHex"}) {
    if (message.find(mark) != std::string_view::npos) return true;
  }
  // uuencode, whatever mode stands there: decoders do not look at it.
  constexpr std::string_view kBegin = "\nbegin ";
  for (auto at = message.find(kBegin); at != std::string_view::npos; at = message.find(kBegin, at + 1)) {
    auto behind = message.substr(at + kBegin.size(), 1);
    if (!behind.empty() && is_digit(behind.front())) return true;
  }
  return false;
}

std::string_view without_line_end(std::string_view octets) {
  while (!octets.empty() && (octets.back() == '\n' || octets.back() == '\r')) octets.remove_suffix(1);
  return octets;
}

class Job {
 public:
  Job(const Engine& engine, const WorkLimits& limits)
      : engine_(engine), limits_(limits), end_(Clock::now() + std::chrono::milliseconds(limits.message_milliseconds)) {}

  // True: decided, no further piece needs a look.
  bool piece(std::string_view message, const wire::Piece& piece);
  WorkAnswer answer();

 private:
  bool part(std::string_view octets, mail::TransferEncoding encoding, const std::string& name);
  bool ask(std::string_view octets, const std::string& name, ScanMode mode);
  static void keep_first(std::string& problem, const std::string& name, const std::string& why) {
    if (problem.empty()) problem = name.empty() ? why : why + " in " + name;
  }

  const Engine& engine_;
  const WorkLimits& limits_;
  Clock::time_point end_;
  std::string found_;
  std::string exceeded_;
  std::string error_;
  std::string encrypted_;
};

bool Job::ask(std::string_view octets, const std::string& name, ScanMode mode) {
  if (Clock::now() >= end_) {
    keep_first(exceeded_, "", "the scan takes too long");
    return true;
  }
  EngineAnswer answer = engine_.scan(octets, name, mode);
  if (answer.state == EngineAnswer::State::found) found_ = answer.text;
  if (answer.state == EngineAnswer::State::limit) keep_first(exceeded_, name, answer.text);
  if (answer.state == EngineAnswer::State::error) keep_first(error_, name, answer.text);
  return answer.state == EngineAnswer::State::found;
}

bool Job::part(std::string_view octets, mail::TransferEncoding encoding, const std::string& name) {
  ArchiveReport archive = examine_archive(octets, limits_.archives);
  if (archive.encrypted && encrypted_.empty()) encrypted_ = name.empty() ? "an archive" : name;
  if (archive.state == ArchiveReport::State::exceeded) {
    keep_first(exceeded_, name, archive.problem);
    return false;  // ClamAV would unpack it and call it clean
  }
  // A signature that is a hash of a whole file misses it when a mailer added a line end.  Text that
  // travelled as lines may well have got one; of a base64 part both forms are looked at.
  std::string_view bare = without_line_end(octets);
  bool lines = encoding != mail::TransferEncoding::base64 && encoding != mail::TransferEncoding::uuencode;
  if (lines) return ask(bare, name, ScanMode::part);
  if (ask(octets, name, ScanMode::part)) return true;
  constexpr std::size_t kSmall = 64 * 1024;
  return bare.size() != octets.size() && bare.size() <= kSmall && ask(bare, name, ScanMode::part);
}

bool Job::piece(std::string_view message, const wire::Piece& piece) {
  std::string name = printable(std::string_view(piece.name, ::strnlen(piece.name, sizeof piece.name)));
  if (piece.offset > message.size() || piece.length > message.size() - piece.offset) {
    keep_first(error_, name, "the part lies outside of the message");
    return false;
  }
  std::string_view octets = message.substr(piece.offset, piece.length);
  auto mode = static_cast<ScanMode>(piece.mode);
  if (mode != ScanMode::part) {
    if (mode == ScanMode::raw && has_inline_attachment(octets)) mode = ScanMode::raw_parsed;
    return ask(octets, name, mode);
  }
  auto encoding = static_cast<mail::TransferEncoding>(piece.encoding);
  if (encoding == mail::TransferEncoding::identity || encoding == mail::TransferEncoding::other) return part(octets, encoding, name);
  std::string decoded = mail::decode_body(octets, encoding, limits_.decoded_octets + 1);
  if (decoded.size() > limits_.decoded_octets) {
    keep_first(exceeded_, name, "limit exceeded: the decoded part is too big");
    return false;
  }
  return part(decoded, encoding, name);
}

WorkAnswer Job::answer() {
  if (!found_.empty()) return {wire::State::found, found_};
  if (!exceeded_.empty()) return {wire::State::limit, exceeded_};
  if (!error_.empty()) return {wire::State::error, error_};
  if (!encrypted_.empty()) return {wire::State::clean, "encrypted: " + encrypted_};
  return {};
}

}  // namespace

WorkAnswer scan_pieces(const Engine& engine, std::string_view message, const std::vector<wire::Piece>& pieces,
                       const WorkLimits& limits) {
  Job job(engine, limits);
  for (const auto& piece : pieces) {
    if (job.piece(message, piece)) break;
  }
  return job.answer();
}

}  // namespace postern::filters
