// Who may excuse a DMARC failure.
#include "filters/arc_rescue.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

struct Seen {
  const char* domain;
  const char* results;
  bool covers_all = true;
};

Arc chain(std::vector<Seen> sets, unsigned oldest_pass = 0) {
  Arc out;
  out.result = ArcResult::pass;
  out.oldest_pass = oldest_pass;
  for (const auto& seen : sets) {
    ArcSet set;
    set.instance = static_cast<unsigned>(out.sets.size() + 1);
    set.domain = seen.domain;
    set.selector = "s" + std::to_string(set.instance);
    set.covers_all = seen.covers_all;
    set.results = mail::parse_authres_payload(std::string("mx; ") + seen.results);
    out.sets.push_back(std::move(set));
  }
  return out;
}

const ArcAuthor kAuthor{"bank.example", true, false, false};
const TrustedSealers kTrusted{"list.example", ".big.example"};
const char* const kPass = "dmarc=pass header.from=bank.example";

}  // namespace

TEST_CASE("a domain is trusted as it stands, and with a dot in front all below it") {
  CHECK(is_trusted(kTrusted, "list.example"));
  CHECK(is_trusted(kTrusted, "LIST.example"));
  CHECK(is_trusted(kTrusted, "big.example"));
  CHECK(is_trusted(kTrusted, "a.b.big.example"));
  CHECK_FALSE(is_trusted(kTrusted, "a.list.example"));
  CHECK_FALSE(is_trusted(kTrusted, "notbig.example"));
  CHECK_FALSE(is_trusted(kTrusted, ""));
  CHECK_FALSE(is_trusted({}, "list.example"));
  CHECK_FALSE(is_trusted({"."}, "list.example"));
  CHECK_FALSE(is_trusted({""}, ""));
}

TEST_CASE("the oldest trusted set that can still speak decides") {
  struct Case { const char* name; Arc arc; bool rescued; unsigned instance; const char* word; };
  const Case cases[] = {
      {"one trusted sealer", chain({{"list.example", kPass}}), true, 1, "dmarc=pass"},
      {"nobody trusted", chain({{"evil.example", kPass}}), false, 0, "no sealer"},
      {"all trusted, changed on the way", chain({{"big.example", kPass}, {"list.example", "dmarc=fail header.from=bank.example"}}, 2), true, 1, "big.example"},
      {"the oldest trusted saw a failure", chain({{"big.example", "dmarc=fail header.from=bank.example"}, {"list.example", kPass}}), false, 1, "dmarc=fail"},
      {"an untrusted one changed it behind a trusted one", chain({{"list.example", kPass}, {"evil.example", kPass}}, 2), false, 0, "may have been changed"},
      {"an untrusted one passed it on unchanged", chain({{"list.example", kPass}, {"evil.example", "none"}}), true, 1, "list.example"},
      {"unchanged, but From was not covered", chain({{"list.example", kPass, false}, {"evil.example", "none"}}), false, 0, "may have been changed"},
      {"the newest does not cover From", chain({{"list.example", kPass}, {"list.example", kPass, false}}, 2), false, 0, "may have been changed"},
      {"the newest does not cover From, the first does and holds", chain({{"list.example", kPass}, {"list.example", kPass, false}}), true, 1, ""},
      {"a trusted one on the way does not cover From", chain({{"big.example", kPass}, {"list.example", kPass, false}, {"list.example", kPass}}, 3), true, 3, "list.example"},
      {"an untrusted one before trusted ones", chain({{"evil.example", kPass}, {"list.example", "dmarc=fail"}}), false, 2, "dmarc=fail"},
      {"an untrusted one between, unchanged since the second", chain({{"list.example", kPass}, {"evil.example", "none"}, {"big.example", kPass}}, 2), true, 3, "big.example"},
  };
  for (const auto& c : cases) {
    ArcRescue out = rescue_by_arc(c.arc, kTrusted, kAuthor);
    CAPTURE(c.name, out.reason);
    CHECK(out.rescued == c.rescued);
    CHECK(out.instance == c.instance);
    CHECK(out.reason.find(c.word) != std::string::npos);
    CHECK(out.evidence.empty() != c.rescued);
    CHECK_FALSE(out.reason.empty());
  }
}

TEST_CASE("what the sealer saw must be of this author") {
  struct Case { const char* results; bool rescued; const char* word; };
  const Case cases[] = {
      {"dmarc=pass header.from=bank.example", true, "dmarc=pass"},
      {"dmarc=pass header.from=BANK.example", true, ""},
      {"dmarc=pass header.from=a@bank.example", true, ""},
      {"dmarc=pass (p=REJECT) action=none header.from=bank.example", true, ""},
      {"dmarc=pass", true, ""},                      // the message signature holds, so From is what it was
      {"dmarc=pass header.from=evil.example", false, "another author"},
      {"dmarc=pass header.from=bank.example.evil.example", false, "another author"},
      {"dmarc=fail header.from=bank.example; dkim=pass header.d=bank.example", false, "dmarc=fail"},
      {"dmarc=bestguesspass header.from=bank.example", false, "bestguesspass"},
      {"dmarc=pass header.from=bank.example; dmarc=fail header.from=evil.example", false, "dmarc=fail"},
      {"dmarc=pass header.from=bank.example; dmarc=pass header.from=evil.example", false, "another"},
      {"none", false, "no pass"},
      {"spf=pass smtp.mailfrom=a@bank.example", true, "spf=pass"},
      {"spf=pass smtp.mailfrom=bank.example", true, "spf=pass"},
      {"spf=pass smtp.mailfrom=a@news.bank.example", true, "spf=pass"},
      {"spf=pass smtp.mailfrom=a@evil.example", false, "no pass"},
      {"spf=softfail smtp.mailfrom=a@bank.example", false, "no pass"},
      {"spf=pass", false, "no pass"},
      {"dkim=pass header.d=bank.example", true, "dkim=pass"},
      {"dkim=pass header.i=@mail.bank.example header.s=x", true, "dkim=pass"},
      {"dkim=fail header.d=bank.example; dkim=pass header.d=evil.example", false, "no pass"},
      {"dmarc=none header.from=bank.example; dkim=pass header.d=bank.example", true, "dkim=pass"},
      {"dkim=pass header.d=bank.example; dmarc=fail =", false, "cannot be read"},
  };
  for (const auto& c : cases) {
    ArcRescue out = rescue_by_arc(chain({{"list.example", c.results}}), kTrusted, kAuthor);
    CAPTURE(c.results, out.reason);
    CHECK(out.rescued == c.rescued);
    CHECK(out.reason.find(c.word) != std::string::npos);
  }
  ArcAuthor strict = kAuthor;
  strict.strict_spf = strict.strict_dkim = true;
  CHECK_FALSE(rescue_by_arc(chain({{"list.example", "spf=pass smtp.mailfrom=a@news.bank.example"}}), kTrusted, strict).rescued);
  CHECK_FALSE(rescue_by_arc(chain({{"list.example", "dkim=pass header.d=mail.bank.example"}}), kTrusted, strict).rescued);
  CHECK(rescue_by_arc(chain({{"list.example", "dkim=pass header.d=bank.example"}}), kTrusted, strict).rescued);
}

TEST_CASE("dmarc=pass of nobody counts only while the message is as it was") {
  Arc changed = chain({{"list.example", "dmarc=pass"}, {"list.example", "none"}}, 2);
  CHECK_FALSE(rescue_by_arc(changed, kTrusted, kAuthor).rescued);
  CHECK(rescue_by_arc(chain({{"list.example", "dmarc=pass"}, {"list.example", "none"}}), kTrusted, kAuthor).rescued);
}

TEST_CASE("without a chain that passes, or with several authors, nothing is excused") {
  Arc arc = chain({{"list.example", kPass}});
  ArcAuthor several = kAuthor;
  several.only_one = false;
  CHECK_FALSE(rescue_by_arc(arc, kTrusted, several).rescued);
  CHECK_FALSE(rescue_by_arc(arc, kTrusted, ArcAuthor{}).rescued);
  CHECK_FALSE(rescue_by_arc(Arc(), kTrusted, kAuthor).rescued);
  for (ArcResult result : {ArcResult::fail, ArcResult::temperror, ArcResult::none}) {
    arc.result = result;
    ArcRescue out = rescue_by_arc(arc, kTrusted, kAuthor);
    CHECK_FALSE(out.rescued);
    CHECK(out.comment.empty());
  }
}

TEST_CASE("the comment for the DMARC report names the sealers and the first address") {
  Arc arc = chain({{"d1.example", "spf=fail smtp.remote-ip=10.10.10.13"}, {"d2.example", "none"}});
  CHECK(rescue_by_arc(arc, {}, kAuthor).comment == "arc=pass as[2].d=d2.example as[2].s=s2 as[1].d=d1.example as[1].s=s1 remote-ip[1]=10.10.10.13");
  CHECK(rescue_by_arc(chain({{"d1.example", "none"}}), {}, kAuthor).comment == "arc=pass as[1].d=d1.example as[1].s=s1");
}
