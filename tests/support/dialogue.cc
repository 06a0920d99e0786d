// Plays golden sessions over loopback.
#include "tests/support/dialogue.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "gateway/io/tls.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    char c = text[++i];
    if (c == 'r') out += '\r';
    else if (c == 'n') out += '\n';
    else if (c == 't') out += '\t';
    else if (c == '0') out += '\0';
    else if (c == 'x' && i + 2 < text.size()) {
      out += from_hex(text.substr(i + 1, 2)).value_or("");
      i += 2;
    } else out += c;
  }
  return out;
}

constexpr char kEscape = '\\';
constexpr char kStar = '*';

// One named connection and the server session behind it.
struct Peer {
  explicit Peer(io::Stream s) : stream(std::move(s)) {}
  io::Stream stream;
};

class Player {
 public:
  Player(Dialogue& dialogue, io::Loop& loop) : dialogue_(dialogue), loop_(loop) {}
  ~Player() {
    for (auto id : sessions_) loop_.cancel(id);
  }

  io::Task<std::string> line(std::string text) {
    for (const auto& [word, value] : dialogue_.words) {
      auto name = "$" + word + "$";
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) text.replace(at, name.size(), value);
    }
    if (text.empty() || text[0] == '#') co_return std::string();
    auto colon = text.find(':');
    if (text.starts_with("A:")) {
      auto wrong = co_await dialogue_.act(std::string(trimmed(text.substr(2))));
      co_return wrong;
    }
    bool is_end = text.size() >= 2 && text.back() == '.' && colon == std::string::npos;
    std::string head = is_end ? text.substr(0, text.size() - 1) : text.substr(0, colon);
    if ((!is_end && colon == std::string::npos) || head.empty() || std::string_view("CST").find(head[0]) == std::string_view::npos) {
      co_return "is no line of a dialogue";
    }
    std::string body = is_end ? "" : text.substr(colon + 1);
    if (body.starts_with(' ')) body.erase(0, 1);
    char side = head[0];
    char how = head.back() == '-' || head.back() == '+' || head.back() == '~' ? head.back() : ' ';
    std::string name = head.substr(1, head.size() - 1 - (how == ' ' ? 0 : 1));
    if (!peers_.contains(name)) co_await open(name);
    auto& peer = *peers_.at(name);
    if (side == 'S') {
      auto wrong = co_await expect(peer, body, how, is_end);
      co_return wrong;
    }
    if (side == 'T') {
      co_await peer.stream.connect_tls(io::TlsContext::client(false), "", in(kPatience));
      co_return std::string();
    }
    if (is_end) {
      peers_.erase(name);
      co_return std::string();
    }
    co_await say(peer, body, how);
    co_return std::string();
  }

 private:
  io::Task<void> open(std::string name) {
    auto pair = co_await stream_pair();
    sessions_.push_back(loop_.spawn(dialogue_.serve(std::move(pair.server), name), "dialogue"));
    peers_[name] = std::make_unique<Peer>(std::move(pair.client));
  }

  io::Task<void> say(Peer& peer, std::string body, char how) {
    std::string octets = body + "\r\n";
    if (how == '-') octets = unescaped(body);
    if (how == '+') {
      auto parts = words(body);
      auto unit = parts.size() > 1 ? unescaped(parts[1]) : "x";
      octets.clear();
      for (auto left = parse_number(parts.at(0)).value_or(0); left > 0; --left) octets += unit;
    }
    if (!dialogue_.trickle || octets.size() > 4096) {
      co_await peer.stream.write(octets, in(kPatience));
      co_return;
    }
    for (char c : octets) {
      co_await peer.stream.write(std::string_view(&c, 1), in(kPatience));
      co_await io::sleep_until(std::chrono::steady_clock::now());  // a turn of the loop: the server reads it alone
    }
  }

  io::Task<std::string> expect(Peer& peer, std::string pattern, char how, bool end) {
    for (;;) {
      std::string got;
      bool closed = false;
      bool silent = false;
      try {
        auto line = co_await peer.stream.read_line(1 << 20, in(kPatience));
        got = std::move(line.text);
      } catch (const io::Closed&) {
        closed = true;
      } catch (const io::TimedOut&) {
        silent = true;
      }
      if (silent) co_return "the server says nothing, expected: " + (end ? "its end" : pattern);
      if (closed) co_return end ? std::string() : "the server closed, expected: " + pattern;
      if (end) co_return "expected the server's end, got: " + printable(got);
      if (line_matches(pattern, got)) co_return std::string();
      if (how != '~') co_return "expected: " + pattern + "\n     got: " + printable(got, 2000);
    }
  }

  Dialogue& dialogue_;
  io::Loop& loop_;
  std::map<std::string, std::unique_ptr<Peer>> peers_;
  std::vector<io::Loop::TaskId> sessions_;
};

}  // namespace

io::Task<void> ended(io::Loop& loop) {
  while (loop.running() > 1) co_await io::sleep_until(in(1ms));
}

bool line_matches(std::string_view pattern, std::string_view line) {
  // The classic two-pointer walk: `star` is where the last '*' may take one octet more.
  std::size_t p = 0;
  std::size_t l = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (l < line.size()) {
    bool escaped = p + 1 < pattern.size() && pattern[p] == kEscape && pattern[p + 1] == kStar;
    if (!escaped && p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = l;
    } else if (p < pattern.size() && pattern[escaped ? p + 1 : p] == line[l]) {
      p += escaped ? 2 : 1;
      ++l;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      l = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

io::Task<std::string> Dialogue::play(std::string text) {
  Player player(*this, io::Loop::current());
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::string wrong;
    try {
      wrong = co_await player.line(line);
    } catch (const io::Closed& closed) {
      wrong = std::string("the connection is over: ") + closed.what();
    }
    if (!wrong.empty()) co_return "line " + std::to_string(number) + " (" + line + "): " + wrong;
  }
  co_return std::string();
}

std::vector<std::string> dialogue_files(const std::string& name) {
  const char* source = std::getenv("POSTERN_SOURCE");
  std::filesystem::path directory = std::filesystem::path(source != nullptr ? source : ".") / "tests" / "dialogues" / name;
  std::vector<std::string> out;
  if (!std::filesystem::exists(directory)) return out;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".txt") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

io::Task<StreamPair> stream_pair() {
  auto endpoint = *Endpoint::parse("127.0.0.1:0", 0);
  auto socket = io::listen_on(endpoint);
  io::Listener listener(std::move(socket).value());
  auto client = co_await io::Stream::connect(io::local_of(listener.fd()), in(5s));
  auto accepted = co_await listener.accept();
  co_return StreamPair(std::move(client), std::move(accepted));
}

}  // namespace postern::test
