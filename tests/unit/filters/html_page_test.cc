// HTML pages as their readers see them, and what hostile ones cost.
#include "filters/html_page.h"

#include "filters/html_tokens.h"
#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

Hidden reason_of(std::string_view html) {
  Page page = read_page(html);
  if (page.seen.find("TEXT") != std::string::npos) return Hidden::no;
  if (page.unseen.find("TEXT") == std::string::npos) return Hidden::count_;
  for (std::size_t i = 0; i < page.hidden.size(); ++i) {
    if (page.hidden[i] > 0) return static_cast<Hidden>(i);
  }
  return Hidden::count_;
}

}  // namespace

TEST_CASE("tokens of a page begin and end where browsers see them") {
  struct Case { const char* html; const char* tokens; };
  const Case cases[] = {
      {"a<b>c</b>d", "'a' <b> 'c' </b> 'd'"},
      {"1 < 2 <3", "'1 < 2 <3'"},
      {"<A HREF='x>y' class=q>", "<A HREF=x>y class=q>"},
      {"<a\nhref = \"x\"y=z/>", "<a href=x y=z/>"},
      {"<a = = href==>", "<a ==href==>"},
      {"<a href=>x", "<a href> 'x'"},
      {"<br/>x", "<br> 'x'"},
      {"<!--a--><!-->b<!--->c<!--d--!>e", "{a} {} 'b' {} 'c' {d} 'e'"},
      {"<!-- <a> - -- > -->x<!--", "{ <a> - -- > } 'x' {}"},
      {"<!DOCTYPE html>x<?php y ?>z", "'x' {php y ?} 'z'"},
      {"</>a</ x>b</1>", "'a' { x} 'b' {1}"},
      {"<script>a<b></scripty></ script></SCRIPT >x", "<script> 'a<b></scripty></ script>' </SCRIPT> 'x'"},
      {"<title>a<b>&amp;</title>x", "<title> 'a<b>&amp;' </title> 'x'"},
      {"a<b href=\"never ends", "'a'"},
      {"a<", "'a<'"},
      {"a</", "'a</'"},
      {"", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    std::string out;
    HtmlTokens tokens(c.html);
    HtmlToken token;
    while (tokens.next(token)) {
      if (!out.empty()) out += ' ';
      std::string text(token.text);
      for (const auto& attribute : token.attributes) {
        text += " " + std::string(attribute.name) + (attribute.value.empty() ? "" : "=") + std::string(attribute.value);
      }
      using Kind = HtmlToken::Kind;
      if (token.kind == Kind::text) out += "'" + text + "'";
      if (token.kind == Kind::start_tag) out += "<" + text + ">";
      if (token.kind == Kind::end_tag) out += "</" + text + ">";
      if (token.kind == Kind::comment) out += "{" + text + "}";
    }
    CHECK(out == c.tokens);
  }
}

TEST_CASE("attributes have their references decoded") {
  struct Case { const char* written; const char* value; };
  const Case cases[] = {
      {"http://a.example/?a=1&amp;b=2", "http://a.example/?a=1&b=2"},
      {"?a=1&copy=2", "?a=1&copy=2"},
      {"?a=1&copy;2", "?a=1\xc2\xa9" "2"},
      {"java&Tab;script&colon;x", "java\tscript:x"},
      {"https&colon;&sol;&sol;evil&period;example", "https://evil.example"},
      {"&#104;&#x74;&#0000000000000000000000000000000000000000116;p", "http"},
      {"&colon", "&colon"},
      {"&", "&"},
      {"&;&#;&#x;", "&;&#;&#x;"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.written);
    CHECK(html_attribute_value(c.written, 100) == c.value);
  }
  CHECK(html_attribute_value("ab\xc3\xa9", 3) == "ab");
  CHECK(html_attribute_value("abcdef", 3) == "abc");
}

TEST_CASE("the text of a page is what its reader sees") {
  struct Case { const char* html; const char* seen; };
  const Case cases[] = {
      {"<p>one  <b>two</b>\n three<p>four", "one two three\nfour"},
      {"<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"},
      {"a<br>b<hr>c", "a\nb\nc"},
      {"<title>no</title><script>no</script><style>no</style><!-- no -->yes", "yes"},
      {"<noscript>yes</noscript><iframe>no</iframe>", "yes"},
      {"a&nbsp;b &lt;c&gt; &#8364; &bogus;", "a b <c> \xe2\x82\xac &bogus;"},
      {"p\xc2\xad" "a&#8203;y&shy;pal", "paypal"},
      {"<input type=submit value='Log in'><textarea>note</textarea>", "Log innote"},
      {"<ul><li>a<li>b</ul>", "a\nb"},
      {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    CHECK(read_page(c.html).seen == c.seen);
  }
  CHECK(read_page("<title>A &amp; B</title>").title == "A & B");
}

TEST_CASE("text that is not seen is told with its reason") {
  struct Case { const char* html; Hidden reason; };
  const Case cases[] = {
      {"<p>TEXT", Hidden::no},
      {"<p style='display:none'>TEXT", Hidden::display},
      {"<p style='DISPLAY : None !important; display:block'>TEXT", Hidden::display},
      {"<p style='display:none;display:block'>TEXT", Hidden::no},
      {"<p style='dis\\70 lay:/**/none'>TEXT", Hidden::display},
      {"<p style='display&colon;none'>TEXT", Hidden::display},
      {"<div style='display:none'><p style='display:block'>TEXT", Hidden::display},
      {"<p hidden>TEXT", Hidden::display},
      {"<p hidden style='display:block'>TEXT", Hidden::no},
      {"<div style='visibility:hidden'>TEXT", Hidden::visibility},
      {"<div style='visibility:hidden'><b style='visibility:visible'>TEXT", Hidden::no},
      {"<div style='opacity:0'>TEXT", Hidden::opacity},
      {"<div style='opacity:0.02'>TEXT", Hidden::opacity},
      {"<div style='opacity:50%'>TEXT", Hidden::no},
      {"<div style='filter:alpha(opacity=0)'>TEXT", Hidden::opacity},
      {"<span style='font-size:0'>TEXT", Hidden::tiny_font},
      {"<span style='font-size:1px'>TEXT", Hidden::tiny_font},
      {"<span style='font-size:1pt'>TEXT", Hidden::tiny_font},
      {"<span style='font:0/0 a'>TEXT", Hidden::tiny_font},
      {"<span style='font:700 12px a'>TEXT", Hidden::no},
      {"<div style='font-size:10px'><span style='font-size:0.1em'>TEXT", Hidden::tiny_font},
      {"<div style='font-size:0'><span style='font-size:12px'>TEXT", Hidden::no},
      {"<div style='font-size:0'><span style='font-size:200%'>TEXT", Hidden::tiny_font},
      {"<span style='font-size:1vw'>TEXT", Hidden::no},
      {"<font color=white>TEXT", Hidden::same_colour},
      {"<font color=#fefefe>TEXT", Hidden::same_colour},
      {"<font color='#dddddd'>TEXT", Hidden::no},
      {"<body bgcolor=black><font color=white>TEXT", Hidden::no},
      {"<body bgcolor=black>TEXT", Hidden::same_colour},
      {"x<body bgcolor=black text=white>TEXT", Hidden::no},
      {"<body background=x.gif><font color=white>TEXT", Hidden::no},
      {"<table bgcolor=#123456><td style='color:rgb(18, 52, 86)'>TEXT", Hidden::same_colour},
      {"<div style='background:#fff url(x.png)'><font color=white>TEXT", Hidden::no},
      {"<div style='background:red none'><font color=white>TEXT", Hidden::no},
      {"<span style='color:transparent'>TEXT", Hidden::same_colour},
      {"<span style='color:rgba(0,0,0,0)'>TEXT", Hidden::same_colour},
      {"<font color=white><a href=http://a.example>TEXT</a>", Hidden::no},
      {"<div style='height:0;overflow:hidden'>TEXT", Hidden::zero_box},
      {"<div style='max-height:0px;height:20px;overflow:hidden'>TEXT", Hidden::zero_box},
      {"<div style='height:0'>TEXT", Hidden::no},
      {"<div style='clip:rect(0 0 0 0)'>TEXT", Hidden::zero_box},
      {"<div style='position:absolute;left:-9999px'>TEXT", Hidden::off_screen},
      {"<div style='text-indent:-9999px'>TEXT", Hidden::off_screen},
      {"<div style='left:-9999px'>TEXT", Hidden::no},
      {"<div style='mso-hide:all'>TEXT", Hidden::no},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    CHECK(name(reason_of(c.html)) == name(c.reason));
  }
}

TEST_CASE("rules of style elements count by element, class and id") {
  struct Case { const char* html; bool seen; };
  const Case cases[] = {
      {"<style>.x{display:none}</style><p class='a X b'>TEXT", false},
      {"<p class=x>TEXT<style>.x{display:none}</style>", false},
      {"<style>p{display:none}</style><p>TEXT", false},
      {"<style>#y{display:none}</style><p id=y>TEXT", false},
      {"<style>p.x#y{display:none}</style><p class=x id=y>TEXT", false},
      {"<style>p.x#y{display:none}</style><p class=x>TEXT", true},
      {"<style>.a.b{display:none}</style><p class='b a'>TEXT", false},
      {"<style>.a.b{display:none}</style><p class='a'>TEXT", true},
      {"<style>h1, .x, h2{display:none}</style><p class=x>TEXT", false},
      {"<style>.x{display:none} p{display:block}</style><p class=x>TEXT", false},
      {"<style>.x{display:none} #y{display:block}</style><p class=x id=y>TEXT", true},
      {"<style>.x{display:none} .x{display:block}</style><p class=x>TEXT", true},
      {"<style>.x{display:none}</style><p class=x style='display:block'>TEXT", true},
      {"<style>.x{display:none!important}</style><p class=x style='display:block'>TEXT", false},
      {"<style>div .x{display:none}</style><p class=x>TEXT", true},
      {"<style>.x:hover{display:none}</style><p class=x>TEXT", true},
      {"<style>@media (max-width:600px){.x{display:none}}</style><p class=x>TEXT", true},
      {"<style>@media screen{.x{display:none}}</style><p class=x>TEXT", false},
      {"<style>@import url(x);@font-face{a:b} .x{display:none}</style><p class=x>TEXT", false},
      {"<style><!-- .x{display:none} --></style><p class=x>TEXT", false},
      {"<style>/* } */.x/**/{display:none}</style><p class=x>TEXT", false},
      {"<!-- <style>p{display:none}</style> --><p>TEXT", true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    CHECK((reason_of(c.html) == Hidden::no) == c.seen);
  }
}

TEST_CASE("what is inside of what is decided as in browsers") {
  struct Case { const char* html; const char* seen; };
  const Case cases[] = {
      {"<b><div style='display:none'>a</b>b</div>c", "c"},
      {"<p><font color=white>a</p><p>b</p></font>c", "c"},
      {"<div style='display:none'><span>a</div>b</span>c", "bc"},
      {"pay<div hidden>x</div>pal<br style='display:none'>!", "paypal!"},
      {"<span style='display:none'>a<div>b</span>c</div>d", ""},
      {"<table style='display:none'>a<tr><td>b</table>c", "ac"},
      {"<table><tr><td><b style='display:none'>a</td><td>b</table>c", "b\nc"},
      {"<table><tr><td>a<p style='display:none'>b<td>c</table>d", "a c\nd"},
      {"<ul><li style='display:none'>a<li>b</ul>", "b"},
      {"<p style='display:none'>a<div>b</div>", "b"},
      {"<p style='display:none'>a</p>b", "b"},
      {"<td style='display:none'>a", "a"},
      {"<table><td style='display:none'>a<table><td>b</td></table>c</td><td>d</table>", "d"},
      {"<a style='display:none' href=x>a<a href=y>b</a>", "b"},
      {"<html style='display:none'><body style='display:block'>a", ""},
      {"<h1 style='display:none'>a</h2>b", "b"},
      {"</div></b></p>a", "a"},
      {"<b style='display:none'><div><div>a</b>b</div></div>c", "b\nc"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    CHECK(read_page(c.html).seen == c.seen);
  }
}

TEST_CASE("links tell where they lead and what is seen of them") {
  Page page = read_page(
      "<base href='http://base.example/x/'><map><area href=m.html></map>"
      "<a href=' http://a.example/?a=1&amp;b=2 '>one <b>two</b></a> rest"
      "<a href=http://b.example><img src=http://i.example/x.png width=10 height=10 alt='Log &amp; in'></a>"
      "<div style='display:none'><a href=http://hidden.example>x</a></div>"
      "<a href=http://empty.example></a><a name=x>no</a>"
      "<form action=http://f.example/><input name=u><input type=password><button formaction=http://g.example/>go</button></form>"
      "<meta http-equiv=refresh content=\"0; URL='http://r.example/'\">");
  CHECK(page.base == "http://base.example/x/");
  REQUIRE(page.links.size() == 8);
  CHECK(page.links[0].target == "m.html");
  CHECK(page.links[0].kind == PageLink::Kind::area);
  CHECK(page.links[1].target == "http://a.example/?a=1&b=2");
  CHECK(page.links[1].shown == "one two");
  CHECK(page.seen.substr(page.links[1].at).starts_with("one two"));
  CHECK_FALSE(page.links[1].hidden);
  CHECK(page.links[2].image);
  CHECK(page.links[2].alt == "Log & in");
  CHECK_FALSE(page.links[2].hidden);
  CHECK(page.links[3].hidden);
  CHECK(page.links[4].hidden);
  CHECK(page.links[5].kind == PageLink::Kind::form);
  CHECK(page.links[6].kind == PageLink::Kind::button);
  CHECK(page.links[7].target == "http://r.example/");
  CHECK(page.link_count == 8);
  CHECK(page.forms == 1);
  CHECK(page.password_fields == 1);
  CHECK(page.text_fields == 1);
  CHECK(page.refreshes == 1);
}

TEST_CASE("a link that goes on in the next paragraph is one link") {
  Page page = read_page("<p><a href=http://a.example>one</p><p>two</a> three</p>");
  REQUIRE(page.links.size() == 1);
  CHECK(page.links[0].shown == "one\ntwo");
  CHECK(read_page("<table><td><a href=http://a.example>one</td><td>two</table>").links[0].shown == "one");
}

TEST_CASE("what a page loads and runs is counted") {
  Page page = read_page(
      "<script src=http://s.example/x.js></script><script>x</script><body onload=x()><p onclick='y()' once=1>"
      "<img src=http://i.example/a.png width=600 height=100><img src=http://i.example/a.png width=600 height=100>"
      "<img src=http://t.example/p.gif width=1 height=1><img src=cid:x><img src=data:image/png;base64,AAAA>"
      "<iframe src=http://f.example/></iframe><object data=http://o.example/></object><embed src=http://e.example/>"
      "<a href='data:text/html,<script>x</script>'>x</a><link rel=StyleSheet href=http://c.example/x.css>"
      "<!--[if mso]><b>x</b><![endif]--><!-- note --><span style='mso-hide:all'>seen</span>");
  CHECK(page.scripts == 2);
  CHECK(page.event_handlers == 2);
  CHECK(page.images == 5);
  CHECK(page.remote_images == 3);
  CHECK(page.attached_images == 1);
  CHECK(page.tracking_pixels == 1);
  CHECK(page.sized_images == 3);
  CHECK(page.image_area == 120'001);
  CHECK(page.frames == 1);
  CHECK(page.objects == 2);
  CHECK(page.data_uris == 2);
  CHECK(page.html_data_uris == 1);
  CHECK(page.outlook_shows == std::string_view("[if mso]><b>x</b><![endif]").size());
  CHECK(page.comments == 6);
  CHECK(page.outlook_hides == 4);
  CHECK(page.sources.size() == 7);
  CHECK_FALSE(page.truncated);
}

// Bounds are asserted on what is kept and said, and a run with all of them must not take long in a debugger either.
TEST_CASE("a hostile page is bounded, and that is said") {
  CHECK(read_page(repeated("<div>", 100'000) + "TEXT").problem == "the elements of the page are nested too deep");
  CHECK(read_page(repeated("<div>", 500) + "TEXT").problem.empty());

  Page links = read_page(repeated("<a href=http://a.example/>x</a>", 50'000));
  CHECK(links.links.size() == kMaxPageLinks);
  CHECK(links.truncated);
  std::string some = repeated("<a href=http://a.example/>x</a>", 3000);
  CHECK(read_page(some).link_count == 3000);
  CHECK(read_page(some).problem == "there are more links than are kept");

  Page attribute = read_page("<a href=\"" + std::string(10 << 20, 'x') + "\">x</a>y");
  CHECK(attribute.links.empty());
  CHECK(attribute.problem == "the page is too long");
  Page long_link = read_page("<a href=\"" + std::string(100'000, 'x') + "\">x</a>y");
  REQUIRE(long_link.links.size() == 1);
  CHECK(long_link.links[0].target.size() == kMaxReference);
  CHECK(long_link.links[0].cut);
  CHECK(long_link.problem == "a link is too long");

  std::string sources;
  for (int i = 0; i < 1000; ++i) sources += "<img src=http://h" + std::to_string(i) + ".example/>";
  CHECK(read_page(sources).sources.size() == kMaxPageSources);
  CHECK(read_page(sources).images == 1000);

  CHECK(read_page("<a " + repeated("x=1 ", 100'000) + "href=http://a.example>x</a>").links.empty());
  std::string rules = "<style>" + repeated(".x{display:none}", 2000) + "</style>";
  CHECK(read_page(rules).problem == "there are more style rules than are read");
  CHECK(read_page(rules + repeated("<p class=x>", 1000)).truncated);
}

TEST_CASE("wildly nested pages use up their steps, and that is said") {
  const std::string pages[] = {
      repeated("<span>", 500) + repeated("</x>", 100'000),
      repeated("<x>", 500) + repeated("</y>", 100'000),
      "<p>" + repeated("<font>", 32) + "</p>" + repeated("<p>x</p>", 40'000),
      repeated("<b><p>", 200) + repeated("<i>x</b></i>", 30'000),
      repeated("<b><div>", 60'000) + repeated("</b>", 60'000),
      repeated("<table><tr><td><a><b>", 20'000) + repeated("</b></p></td>", 10'000),
      repeated("<table>", 400) + repeated("<p>x<b></tr>", 20'000),
      repeated("<svg><g>", 250) + repeated("</p>", 100'000),
      repeated("<ul><li>", 60'000),
      repeated("<li><div>", 250) + repeated("<li>", 80'000),
      repeated("<button><form><select><option>", 10'000),
  };
  for (const auto& html : pages) {
    CAPTURE(html.substr(0, 20), html.size());
    Page page = read_page(html);
    CHECK(page.seen.size() <= html.size());
    CHECK(page.tags <= html.size() / 3);
  }
  CHECK(read_page(pages[0] + "x").problem.empty());   // nothing of it is open
  CHECK(read_page(pages[1] + "x").problem == "the elements of the page are nested too wildly");
  CHECK(read_page(pages[2] + "x").problem == "the elements of the page are nested too wildly");
}
