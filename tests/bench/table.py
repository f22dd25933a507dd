#!/usr/bin/env python3
"""The figures of all.sh as the tables of README.md, what goes beyond them, and how cost grows as a picture.

    table.py RESULTS.jsonl            prints the tables
    table.py RESULTS.jsonl --write    also writes them into ../../README.md and growth.svg

Every figure is the median of its runs. A ratio is of medians of the same file, never of two.
"""
import json
import platform
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
PEERS = ["starling", "bird", "frr", "openbgpd", "gobgp", "relay"]
BEGIN, END = "<!-- bench -->\n", "<!-- /bench -->\n"


def seconds(run, phase, field):
    """A time of a phase; None where it was not reached."""
    value = run.get(phase, {}).get(field, -1.0)
    return value if value >= 0 else None


def right(run):
    """Whether the sinks saw the best paths, as the harness computed them."""
    return run.get("best_path_right") == run.get("best_path_expected")


# (what it says, case, figure of one run, digits, goal as a share of the best of these peers,
#  goal as a figure)
ROWS = [
    ("a: 1 M prefixes, 1 peer in, 1 out, s", "a", lambda r: seconds(r, "announce", "all_s"), 2, (0.35, ["bird"]), None),
    ("a: peak, bytes per route", "a", lambda r: r["announce"]["bytes_per_route_peak"], 0, None, 110),
    ("d: withdraw all of it, s", "a", lambda r: seconds(r, "withdraw", "all_s"), 2, (0.50, ["bird"]), None),
    ("b: the same 100 k from 10 peers, s", "b", lambda r: seconds(r, "announce", "all_s"), 2, (0.35, ["bird"]), None),
    ("b: peak, bytes per path", "b", lambda r: r["announce"]["bytes_per_route_peak"] / r["injectors"], 0, None, 80),
    ("b: announcements sent per prefix", "b", lambda r: r["announce"]["rx_announced"] / r["prefixes"], 2, None, 1.3),
    ("c: 100 k to 50 peers, s", "c", lambda r: seconds(r, "announce", "all_s"), 2, (0.30, ["bird", "frr", "openbgpd", "gobgp"]), None),
    ("c: CPU per delivery, µs", "c", lambda r: r["announce"]["dut_cpu_s"] * 1e6 / (r["prefixes"] * r["sinks"]), 3, None, 0.10),
    ("c: peak, MB", "c", lambda r: r["announce"]["rss_peak"] / 1e6, 1, None, 40),
    ("e: 200 k into the kernel, s", "e", lambda r: seconds(r, "announce", "fib_s"), 2, (0.50, ["bird"]), None),
    ("e: out of the kernel again, s", "e", lambda r: seconds(r, "withdraw", "fib_s"), 2, (0.40, ["bird"]), None),
    ("flap: 10 % of 1 M re-announced, s", "flap", lambda r: seconds(r, "flap", "last_s"), 2, (0.50, ["bird"]), None),
    ("one prefix to the next peer, ms", "react-sink", lambda r: (s := seconds(r, "announce", "all_s")) and s * 1e3, 2, None, 0.3),
    ("one prefix to the kernel, ms", "react-kernel", lambda r: (s := seconds(r, "announce", "fib_s")) and s * 1e3, 2, None, 0.3),
    ("f: mesh of 50, start to the last kernel, s", "f50", lambda r: r["all_nodes_s"] if r["ok"] else None, 2, None, 0.5),
    ("f: mesh of 100, s", "f100", lambda r: r["all_nodes_s"] if r["ok"] else None, 2, None, 1.3),
    ("f: PSS a node at 50, MB", "f50", lambda r: r["pss_each"] / 1e6, 1, None, 3),
    ("f: PSS a node at 100, MB", "f100", lambda r: r["pss_each"] / 1e6, 1, None, 4),
    ("g: 50 idle sessions, RSS, MB", "g", lambda r: r["idle"]["rss"] / 1e6, 1, None, 8),
    ("g: wake-ups a second", "g", lambda r: r["idle"]["wakeups_per_s"], 1, None, 2),
    ("g: CPU, ms a minute", "g", lambda r: r["idle"]["cpu_ms_per_min"], 1, None, 5),
]


def load(path):
    """case → peer → its runs; and the kernel's own limit."""
    runs, limit = defaultdict(lambda: defaultdict(list)), []
    for line in open(path):
        try:
            run = json.loads(line)
        except ValueError:
            continue
        label = run.get("label", "").split("/")
        if label[0] == "f" and len(label) == 3:
            grown = f"grow-nodes-{label[2]}"
            for case in [f"f{label[2]}", grown]:
                runs[case][label[1]].append(run)
        elif len(label) == 2:
            runs[label[0]][label[1]].append(run)
        elif "add_s" in run:
            limit.append(run)
    return runs, limit


def median(runs, figure):
    """The median of what was reached, and whether every run reached it and was right."""
    values = []
    for run in runs:
        try:
            value = figure(run)
        except (KeyError, ZeroDivisionError, TypeError):
            value = None
        if value is not None and right(run):
            values.append(value)
    return statistics.median(values) if values else None


def tables(runs, limit):
    """The table of figures, in Markdown."""
    shown = [p for p in PEERS if any(p in runs[row[1]] for row in ROWS)]
    # A mesh of 100 is measured once more for how cost grows.
    rounds = {p: len(runs["a"].get(p, [])) for p in shown}
    most = max(rounds.values(), default=0)
    name = lambda p: ("**Starling**" if p == "starling" else p) + ("" if rounds[p] == most else f" (n={rounds[p]})")
    out = ["| case | " + " | ".join(map(name, shown)) + " | Starling ÷ best | goal |"]
    out.append("|---" * (len(shown) + 3) + "|")
    for what, case, figure, digits, share, bound in ROWS:
        of = {p: median(runs[case].get(p, []), figure) for p in shown}
        cells = [f"{of[p]:.{digits}f}" if of[p] is not None else "–" for p in shown]
        ours, ratio = of.get("starling"), "–"
        rivals = [of[p] for p in (share[1] if share else PEERS[1:-1]) if of.get(p)]
        if ours is not None and rivals:
            ratio = f"{ours / min(rivals):.2f}"
        goal = f"≤ {share[0]:.2f} × {'the best' if len(share[1]) > 1 else share[1][0]}" if share else f"≤ {bound:g}"
        met = ours is not None and (ours <= share[0] * min(rivals) if share and rivals else bound is not None and ours <= bound)
        out.append(f"| {what} | " + " | ".join(cells) + f" | {ratio} | {goal}{'' if met else ' (missed)'} |")
    if limit:
        add = statistics.median(r["add_s"] for r in limit)
        delete = statistics.median(r["del_s"] for r in limit)
        out.append("")
        out.append(f"The kernel's own limit in `e`, 256 routes a message and nothing else: {add:.2f} s in, {delete:.2f} s out.")
    return "\n".join(out) + "\n"


def late(field):
    return lambda r: r["probe"][field] if "error" not in r["probe"] else None


# What goes beyond the table: (what it says, case, figure of one run, digits, goal in words, whether it is met)
BEYOND = [
    ("50 peers, 10 k prefixes: CPU per delivery, µs", "peers-50", lambda r: delivery(r), 3, "–", None),
    ("1,000 peers: the same", "peers-1000", lambda r: delivery(r), 3, "flat", lambda v, of: v <= 1.25 * of("peers-50", delivery)),
    ("1,000 peers: memory per session, kB", "peers-1000", lambda r: r["announce"]["rss_peak"] / 1e3 / r["sinks"], 1, "–", None),
    ("1,000 idle sessions: wake-ups a second", "idle-1000", lambda r: r["idle"]["wakeups_per_s"], 1, "–", None),
    ("1,000 idle sessions: CPU per session, ms a minute", "idle-1000", lambda r: r["idle"]["cpu_ms_per_min"] / r["sinks"], 3, "flat", lambda v, of: v <= 1.25 * of("g", lambda r: r["idle"]["cpu_ms_per_min"] / r["sinks"])),
    ("1 M prefixes withdrawn again: memory ÷ before", "a", lambda r: r["withdraw"]["rss_after"] / r["announce"]["rss_before"], 2, "≤ 1.20", lambda v, of: v <= 1.2),
    ("worst KEEPALIVE beside case a, ms late", "late", late("keepalive_late_ms"), 0, "≤ 1000", lambda v, of: v <= 1000),
    ("worst BFD packet beside case a, ms late", "late", late("bfd_late_ms"), 0, "≤ 100", lambda v, of: v <= 100),
    ("first line of `show routes` of 1 M, ms", "show", lambda r: r["reader"]["first_line_ms"], 0, "≤ 50", lambda v, of: v <= 50),
    ("all of it, s", "show", lambda r: r["reader"]["read_s"], 1, "–", None),
    ("1 M re-announced while it is read ÷ alone", "show", lambda r: r["reader"]["beside_s"] / r["reader"]["alone_s"], 2, "≤ 1.10", lambda v, of: v <= 1.1),
    ("200 k, a sink that reads 1 kB/s: the other's time, s", "slow", lambda r: seconds(r, "announce", "all_s"), 2, "as without", None),
    ("20 s of flapping later: memory ÷ before", "slow", lambda r: r["churn"]["rss_after"] / r["churn"]["rss_before"], 2, "bounded", lambda v, of: v <= 1.5),
    ("20 % of 1 M flapping for minutes: memory ÷ after the first time", "churn", lambda r: r["churn"]["rss_after"] / r["churn"]["rss_first"], 2, "≤ 1.05", lambda v, of: v <= 1.05),
    ("CPU per change, µs", "churn", lambda r: r["churn"]["us_per_change"], 2, "–", None),
]


def delivery(r):
    return r["announce"]["dut_cpu_s"] * 1e6 / (r["prefixes"] * r["sinks"])


def beyond(runs):
    """The second table: Starling and BIRD; nothing where nothing of it was measured."""
    if not any(runs[row[1]] for row in BEYOND if row[1] not in ("a", "g")):
        return ""
    out = ["| beyond the table | **Starling** | bird | goal |", "|---|---|---|---|"]
    for what, case, figure, digits, goal, met in BEYOND:
        values = [median(runs[case].get(p, []), figure) for p in ("starling", "bird")]
        missed = met is not None and (values[0] is None or not met(values[0], lambda c, f: median(runs[c].get("starling", []), f) or 0))
        cells = " | ".join("–" if v is None else f"{v:.{digits}f}" for v in values)
        out.append(f"| {what} | {cells} | {goal}{' (missed)' if missed else ''} |")
    return "\n".join(out) + "\n"


# How cost grows: (title, case prefix, figure, unit)
GROWTH = [
    ("prefixes: time", "grow-prefixes-", lambda r: seconds(r, "announce", "all_s"), "s"),
    ("prefixes: peak memory", "grow-prefixes-", lambda r: r["announce"]["rss_peak"] / 1e6, "MB"),
    ("peers: time", "grow-peers-", lambda r: seconds(r, "announce", "all_s"), "s"),
    ("peers: CPU", "grow-peers-", lambda r: r["announce"]["dut_cpu_s"], "s"),
    ("nodes: time", "grow-nodes-", lambda r: r["all_nodes_s"] if r["ok"] else None, "s"),
    ("nodes: PSS each", "grow-nodes-", lambda r: r["pss_each"] / 1e6, "MB"),
]


def grown(runs, prefix, figure, peer):
    """Points (size, figure), by size."""
    points = []
    for case in runs:
        if case.startswith(prefix):
            value = median(runs[case].get(peer, []), figure)
            if value:
                points.append((int(case[len(prefix):]), value))
    return sorted(points)


def picture(runs):
    """Six small log-log charts, Starling and BIRD, as SVG."""
    from math import log10

    wide, high, gap = 300, 200, 50
    parts = []
    for at, (title, prefix, figure, unit) in enumerate(GROWTH):
        lines = {p: grown(runs, prefix, figure, p) for p in ("starling", "bird")}
        every = [point for line in lines.values() for point in line]
        if not every:
            continue
        x0, y0 = gap + (at % 2) * (wide + gap * 2), gap + (at // 2) * (high + gap * 2)
        (xs, xl), (ys, yl) = [(log10(min(v)), log10(max(v))) for v in zip(*every)]
        place = lambda x, y: (
            x0 + (log10(x) - xs) / ((xl - xs) or 1) * wide,
            y0 + high - (log10(y) - ys) / ((yl - ys) or 1) * high,
        )
        parts.append(f'<text x="{x0}" y="{y0 - 15}" font-weight="bold">{title} ({unit})</text>')
        parts.append(f'<rect x="{x0}" y="{y0}" width="{wide}" height="{high}" fill="none" stroke="#999"/>')
        for peer, colour in (("starling", "#0a7"), ("bird", "#c50")):
            spots = [place(*point) for point in lines[peer]]
            path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            for (x, y), (size, value) in zip(spots, lines[peer]):
                parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"><title>{peer}: {size}: {value:.3g} {unit}</title></circle>')
            if spots:
                x, y = spots[-1]
                parts.append(f'<text x="{x + 5:.0f}" y="{y + 4:.0f}" fill="{colour}">{lines[peer][-1][1]:.2g}</text>')
        for size in sorted({size for size, _ in every}):
            parts.append(f'<text x="{place(size, 10 ** ys)[0]:.0f}" y="{y0 + high + 15}" text-anchor="middle">{short(size)}</text>')
    parts.append('<text x="50" y="20" fill="#0a7">Starling</text><text x="120" y="20" fill="#c50">BIRD</text>')
    size = f'width="{2 * (wide + 2 * gap)}" height="{3 * (high + 2 * gap)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"


def short(n):
    return f"{n // 1000000} M" if n >= 1000000 else f"{n // 1000} k" if n >= 1000 else str(n)


def growth(runs):
    """The same as a table: a figure for each size; nothing where only the meshes of case f ran."""
    out = []
    if not any(case.startswith(("grow-prefixes-", "grow-peers-")) and of for case, of in runs.items()):
        return ""
    for title, prefix, figure, unit in GROWTH:
        lines = {p: dict(grown(runs, prefix, figure, p)) for p in ("starling", "bird")}
        sizes = sorted(set().union(*lines.values()))
        if not sizes:
            continue
        if out:
            out.append("")
        out.append(f"| {title}, {unit} | " + " | ".join(short(s) for s in sizes) + " |")
        out.append("|---" * (len(sizes) + 1) + "|")
        for name, peer in (("Starling", "starling"), ("BIRD", "bird")):
            out.append(f"| {name} | " + " | ".join(f"{lines[peer][s]:.3g}" if s in lines[peer] else "–" for s in sizes) + " |")
    return "\n".join(out) + "\n"


def machine(runs):
    """Where it ran, and with what."""
    info = open("/proc/cpuinfo").read()
    model = re.search(r"model name\s*:\s*(.*)", info)
    cores = info.count("processor\t")
    memory = int(re.search(r"MemTotal:\s*(\d+)", open("/proc/meminfo").read()).group(1)) >> 20
    names = {"bird": "bird2", "frr": "frr", "openbgpd": "openbgpd", "gobgp": "gobgpd"}
    have = []
    for peer, package in names.items():
        said = subprocess.run(["dpkg-query", "-Wf", "${Version}", package], capture_output=True, text=True)
        if said.returncode == 0:
            have.append(f"{peer} {said.stdout}")
    rounds = max((len(r) for r in runs.get("a", {}).values()), default=0)
    return (
        f"{cores} cores of {model.group(1).strip() if model else 'an unnamed CPU'}, {memory + 1} GB, Linux {platform.release()}; "
        f"{', '.join(have)}; medians of {rounds} interleaved rounds; n=1: measured once, being slow.\n"
    )


def main():
    runs, limit = load(sys.argv[1])
    text = machine(runs) + "\n" + tables(runs, limit)
    if more := beyond(runs).strip():
        text += "\n" + more + "\n"
    if more := growth(runs).strip():
        text += "\nHow cost grows (and [drawn](tests/bench/growth.svg)):\n\n" + more + "\n"
    print(text)
    if "--write" in sys.argv:
        page = README.read_text()
        head, rest = page.split(BEGIN)
        README.write_text(head + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
        if growth(runs).strip():
            (HERE / "growth.svg").write_text(picture(runs))


if __name__ == "__main__":
    main()
