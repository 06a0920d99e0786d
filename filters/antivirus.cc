// The public face of virus scanning: from a message and its part table to a Virus, on any loop.
#include "filters/antivirus.h"

#include <algorithm>
#include <cstring>

#include "filters/antivirus_core.h"
#include "gateway/io/errors.h"

namespace postern::filters {
namespace {

// Tells the home loop that nobody waits any more, however the waiting task ends.
struct AbandonAtEnd {
  std::shared_ptr<Waiting> waiting;
  explicit AbandonAtEnd(std::shared_ptr<Waiting> w) : waiting(std::move(w)) {}
  ~AbandonAtEnd() { waiting->abandon(); }
  AbandonAtEnd(const AbandonAtEnd&) = delete;
};

wire::Piece piece_of(const ScanPart& part) {
  wire::Piece piece;
  piece.offset = part.offset;
  piece.length = part.length;
  piece.encoding = static_cast<std::uint8_t>(part.encoding);
  piece.mode = static_cast<std::uint8_t>(ScanMode::part);
  std::memcpy(piece.name, part.name.data(), std::min(part.name.size(), sizeof piece.name - 1));
  return piece;
}

}  // namespace

std::string_view name(AntivirusState::Phase phase) {
  switch (phase) {
    case AntivirusState::Phase::off: return "off";
    case AntivirusState::Phase::loading: return "loading";
    case AntivirusState::Phase::ready: return "ready";
    case AntivirusState::Phase::broken: return "broken";
  }
  return "";
}

ScanJob scan_job(Octets message, const mail::PartTable& table) {
  ScanJob job(std::move(message));
  job.parse_mail = table.truncated;
  for (const auto& part : table.parts) {
    if (part.kind == mail::Part::Kind::message) continue;  // its child has the octets
    // A multipart without a delimiter is one opaque body; one with parts is looked at through them.
    if (part.kind == mail::Part::Kind::multipart && !table.children(static_cast<std::size_t>(&part - table.parts.data())).empty()) continue;
    ScanPart scan_part;
    scan_part.offset = part.body;
    scan_part.length = part.body_size();
    scan_part.encoding = part.encoding;
    scan_part.name = part.file_name();
    job.parts.push_back(std::move(scan_part));
  }
  return job;
}

std::vector<wire::Piece> pieces_for(const ScanJob& job, bool mail_parser) {
  std::vector<wire::Piece> pieces;
  wire::Piece whole;
  whole.length = job.message.size();
  whole.mode = static_cast<std::uint8_t>(mail_parser || job.parse_mail ? ScanMode::raw_parsed : ScanMode::raw);
  pieces.push_back(whole);
  for (const auto& part : job.parts) {
    if (part.length != 0) pieces.push_back(piece_of(part));
  }
  if (pieces.size() <= wire::kMaxPieces) return pieces;
  pieces.resize(wire::kMaxPieces);
  pieces[0].mode = static_cast<std::uint8_t>(ScanMode::raw_parsed);  // what was cut off is not left unseen
  return pieces;
}

Antivirus::Antivirus(io::Loop& home, AntivirusOptions options) : core_(std::make_shared<Core>(home, std::move(options))) {}

Antivirus::~Antivirus() { core_->stop(); }

void Antivirus::start() { core_->start(); }

AntivirusState Antivirus::state() const { return core_->state(); }

io::Task<Virus> Antivirus::scan(ScanJob job, Deadline deadline) {
  Virus virus;
  if (core_->options().database.empty()) co_return virus;
  auto waiting = std::make_shared<Waiting>(std::move(job), io::Loop::current());
  AbandonAtEnd at_end(waiting);
  if (&io::Loop::current() == &core_->home()) {
    core_->submit(waiting);
  } else {
    core_->home().post([core = core_, waiting] { core->submit(waiting); });
  }
  try {
    const Virus* answer = co_await waiting->result.get(deadline);
    virus = *answer;
  } catch (const io::TimedOut&) {
    virus.state = Virus::State::error;
    virus.problem = core_->reason_for_waiting();
  }
  if (virus.state == Virus::State::error) core_->count_error();
  co_return virus;
}

}  // namespace postern::filters
