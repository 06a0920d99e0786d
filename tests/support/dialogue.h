#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::io {
class Loop;
}

namespace postern::test {

// Golden sessions as text.  A file holds lines of
//   # comment, and empty lines
//   C: text        sent with CRLF; S: pattern: a line that must come, '*' stands for anything
//   C1: ... S1:    the same on connection "1" (any name); a connection is opened when first named
//   C-: text       sent without CRLF;  escapes \r \n \t \0 \xNN \\ in C- lines
//   C+: text       many octets: "C+: 100000 x" sends 100,000 times "x" without CRLF
//   S~: pattern    lines are read until one matches (waiting; at most the time limit)
//   S.             the server closes the connection, saying nothing more
//   C.             the client closes it
//   T:             the client does a TLS handshake now
//   A: name args   the test's own action, see Actions
// "$tag$" names are replaced from `words`.  A literal that the server sends is shown line by line, as it comes.
struct Dialogue {
  // Runs one server session; `which` is the connection's name.
  std::function<io::Task<void>(io::Stream server, std::string which)> serve;
  // "A:" lines; gives what went wrong, or "".
  std::function<io::Task<std::string>(std::string line)> act;
  std::vector<std::pair<std::string, std::string>> words;
  // Each octet from the client is sent alone.
  bool trickle = false;

  // Plays the text; gives "" or what went wrong, with the line number.
  io::Task<std::string> play(std::string text);
};

// Ends when no task but the caller's runs on the loop any more: sessions use what the test is about to destroy.
io::Task<void> ended(io::Loop& loop);

// Does a line match a pattern with '*'?  "\*" is a star.
bool line_matches(std::string_view pattern, std::string_view line);

// Paths of tests/dialogues/<name>/*.txt, sorted.
std::vector<std::string> dialogue_files(const std::string& name);
std::string file_text(const std::string& path);

// Two connected sockets on loopback, on the present loop.
struct StreamPair {
  StreamPair(io::Stream a, io::Stream b) : client(std::move(a)), server(std::move(b)) {}
  io::Stream client;
  io::Stream server;
};
io::Task<StreamPair> stream_pair();

}  // namespace postern::test
