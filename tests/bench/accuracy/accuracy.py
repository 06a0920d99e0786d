#!/usr/bin/env python3
"""How well Postern tells spam from ham, beside bogofilter and rspamd, on mail that none of them has seen.  README.md says how; nothing is asserted.

    tests/bench/accuracy/accuracy.py --postern build/release/postern
"""
import argparse
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
sys.path.insert(0, HERE)
import filters  # noqa: E402
import isolation  # noqa: E402
import prepare  # noqa: E402
import table  # noqa: E402

SEED = 2026


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postern", default=os.path.join(SOURCE, "build", "release", "postern"), help="the program; default: build/release/postern")
    parser.add_argument("--rules", default=os.path.join(SOURCE, "rules"), help="folder of rules; default: those of the sources")
    parser.add_argument("--filters", default="postern,bogofilter,rspamd", help="of postern, bogofilter, rspamd, spamassassin; default: the first three")
    parser.add_argument("--cache", default=os.path.join(SOURCE, "build", "accuracy"), help="folder for the prepared corpus; default: build/accuracy")
    parser.add_argument("--sample", type=int, default=0, help="only so many mails of each half")
    parser.add_argument("--swap", action="store_true", help="also train on the test half and measure on the other")
    parser.add_argument("--cross-validate", action="store_true", help="also five folds inside the half for training")
    parser.add_argument("--details", help="folder for what each filter said of each mail, as JSON")
    parser.add_argument("--leaks", action="store_true", help="only show which header fields still tell the modern sets apart")
    parser.add_argument("--prepare", action="store_true", help="only prepare the corpus")
    parser.add_argument("--no-install", action="store_true", help="install no packages")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def install(names):
    """Debian's packages of the filters asked for; their services are not started."""
    packages = ["zstd"] + [filters.ALL[name].package for name in names if hasattr(filters.ALL[name], "package")]
    packages += ["redis-server"] if "rspamd" in names else []
    packages += ["spamc", "spamd"] if "spamassassin" in names else []
    known = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Status}\n", *packages], capture_output=True, text=True, check=False).stdout
    missing = [package for package in packages if f"{package} install ok installed" not in known]
    if not missing:
        return
    say("installing " + " ".join(missing))
    policy = "/usr/sbin/policy-rc.d"
    ours = not os.path.exists(policy)
    try:
        if ours:
            with open(policy, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\nexit 101\n")
            os.chmod(policy, 0o755)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL, env=environment)
    finally:
        if ours and os.path.exists(policy):
            os.remove(policy)


def mixed(mails):
    """Ham and spam mixed, the same order each time: a filter that learns one after the other sees both."""
    out = sorted(mails, key=lambda mail: mail.path)
    random.Random(SEED).shuffle(out)
    return out


def measure(kind, setting, folder, parts, train):
    """One row: `parts` are pairs of (mails to train on, mails to judge).  Gives counts and the filter's CPU."""
    words, judged, cpu, details = {}, [], 0.0, {}
    for training, testing in parts:
        with kind(setting, folder) as one:
            if train:
                one.train(mixed(training))
            words.update(one.judge(mixed(testing)))
            cpu += one.cpu
            judged += testing
            details.update(getattr(one, "details", {}))
    return {"counts": table.as_json(table.count(judged, words)), "cpu_seconds": round(cpu, 2), "mails": len(judged),
            "mails_per_cpu_second": round(len(judged) / cpu, 1) if cpu else None}, words, details


def plan(mails, options):
    """(how, fresh, trained, [(training, testing)])"""
    half = {name: [mail for mail in mails if mail.half == name] for name in ("train", "test")}
    if options.sample:
        for name, members in half.items():
            half[name] = mixed(members)[:options.sample]
    out = [("nothing trained", True, False, [([], half["test"])]), ("trained on the other half", False, True, [(half["train"], half["test"])])]
    if options.swap:
        out.append(("halves swapped", False, True, [(half["test"], half["train"])]))
    if options.cross_validate:
        folds = [([mail for mail in half["train"] if mail.fold != fold], [mail for mail in half["train"] if mail.fold == fold]) for fold in range(prepare.FOLDS)]
        out.append(("cross-validated", False, True, folds))
    return out


def results_of(names, mails, setting, options):
    out = []
    for name in names:
        kind = filters.ALL[name]
        for how, fresh, train, parts in plan(mails, options):
            say(f"{name}, {how}")
            row = {"filter": name, "how": how, "fresh": fresh}
            try:
                found, words, details = measure(kind, setting, os.path.join(setting.cache, "work", name), parts, train)
                row.update(found)
                if options.details:
                    os.makedirs(options.details, exist_ok=True)
                    with open(os.path.join(options.details, f"{name}-{how.replace(' ', '-')}.json"), "w", encoding="utf-8") as file:
                        json.dump({path: {"word": word, "said": details.get(path)} for path, word in sorted(words.items())}, file, indent=0)
            except filters.Missing as problem:
                row["problem"] = str(problem)
            except (OSError, RuntimeError) as problem:
                row["problem"] = f"failed: {problem}"
            out.append(row)
    return out


def speed(results):
    """Mails a CPU second of judging, whole process trees; the ratio that is wanted is 15."""
    rates = {(row["filter"], row["how"]): row["mails_per_cpu_second"] for row in results if row.get("mails_per_cpu_second")}
    lines = [f"{name + ', ' + how:<40} {rate:>9.1f} mails a CPU second" for (name, how), rate in rates.items()]
    for how in ("nothing trained", "trained on the other half"):
        ours, theirs = rates.get(("postern", how)), rates.get(("rspamd", how))
        if ours and theirs:
            lines.append(f"{how}: postern {ours / theirs:.1f} times rspamd (wanted: 15; without virus scanner on both sides)")
    return lines


def main():
    options = arguments()
    names = [name for name in options.filters.split(",") if name]
    unknown = [name for name in names if name not in filters.ALL]
    if unknown:
        sys.exit(f"accuracy: no such filter: {', '.join(unknown)}")
    corpus = os.environ.get("POSTERN_CORPUS") or os.path.join(os.path.dirname(SOURCE), "shared", "corpus")
    if not os.path.isdir(corpus):
        print(f"accuracy: no corpus at {corpus} ($POSTERN_CORPUS): nothing is measured")
        return
    if "POSTERN_ACCURACY_ISOLATED" not in os.environ and not options.no_install:
        install(names)
    isolation.enter()
    mails, facts = prepare.prepare(corpus, options.cache, say=say)
    if options.leaks:
        for name, ham, spam in prepare.leaks(mails, options.cache):
            print(f"{name:<40} ham {ham:.2f}  spam {spam:.2f}")
    if options.leaks or options.prepare:
        return
    server = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "name_server.py")], stdout=subprocess.PIPE, preexec_fn=filters.die_with_us)
    try:
        port = int(server.stdout.readline())
        setting = filters.Setting(os.path.abspath(options.cache), options.postern, os.path.abspath(options.rules), port)
        results = results_of(names, mails, setting, options)
    finally:
        server.kill()
        server.wait()
    if options.json:
        print(json.dumps({"corpus": facts, "results": results}))
        return
    print("mails kept: " + ", ".join(f"{part} {facts['kept'][part]} of {facts['unpacked'][part]}" for part in prepare.ORDER))
    print(table.text(results))
    print("\n".join(speed(results)))


if __name__ == "__main__":
    main()
