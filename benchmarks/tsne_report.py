"""The tables of docs/benchmarks.md and its plot, from the stored runs."""

import re
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
ENGINES = ("unknot", "openTSNE", "scikit-learn", "scikit-learn-intelex", "manifolds-rs")
COLORS = dict(zip(ENGINES, ("#0b6e99", "#b04900", "#7a7a7a", "#8a55c2", "#3d7a37"), strict=True))


def medians(runs):
    """(case, engine) -> the medians of its runs, and how many there are."""
    groups = {}
    for run in runs:
        groups.setdefault((run["case"], run["engine"]), []).append(run)
    keys = ("seconds", "affinities", "optimization", "kl", "exact_kl", "peak_bytes")
    return {
        key: {
            "n_samples": group[0]["n_samples"],
            "rounds": len(group),
            **{name: median(r[name] for r in group) for name in keys if name in group[0]},
        }
        for key, group in groups.items()
    }


def table_of(case, found, stopped):
    rows = [
        "| | neighbors + affinities, s | optimization, s | total, s | times unknot's "
        "| KL reported | exact KL | peak memory, GB | runs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ours = found[case, "unknot"]["seconds"]
    for engine in ENGINES:
        if (case, engine) not in found:
            continue
        of = found[case, engine]
        parts = [f"{of[key]:.2f}" if key in of else "" for key in ("affinities", "optimization")]
        reported = f"{of['kl']:.4f}" if "kl" in of else ""
        rows.append(
            f"| {engine} | {parts[0]} | {parts[1]} | {of['seconds']:.2f} "
            f"| {of['seconds'] / ours:.1f} | {reported} | {of['exact_kl']:.4f} "
            f"| {of['peak_bytes'] / 1e9:.2f} | {of['rounds']} |"
        )
    for run in stopped:
        if run["case"] == case:
            seconds = run["limit"]
            rows.append(
                f"| {run['engine']} |  |  | stopped after {seconds:.0f} | > {seconds / ours:.0f} "
                "|  |  |  | 1 |"
            )
    return "\n".join(rows)


def time_to_reach(runs, case, kl):
    """Median seconds until unknot's reported KL divergence is at most this; None if it never is."""
    times = []
    for run in runs:
        if run["case"] == case and run["engine"] == "unknot":
            reached = [seconds for seconds, value in run["trace"] if value <= kl]
            if not reached:
                return None
            times.append(reached[0])
    return median(times)


def text_of(results):
    found = medians(results["runs"])
    parts = []
    cases = {run["case"]: run["n_samples"] for run in results["runs"]}
    for case in sorted(cases, key=cases.get):
        if (case, "unknot") not in found:
            continue
        n, threads = found[case, "unknot"]["n_samples"], results["runs"][0]["threads"]
        parts += [f"### {case}: {n:,} points, {threads} threads", ""]
        parts += [table_of(case, found, results["stopped"]), ""]
        rival = found.get((case, "scikit-learn"))
        reached = rival and time_to_reach(results["runs"], case, rival["exact_kl"])
        if reached:
            parts += [
                "unknot reaches scikit-learn's final KL divergence "
                f"({rival['exact_kl']:.4f}) after {reached:.2f} s: "
                f"{rival['seconds'] / reached:.0f} times faster.",
                "",
            ]
    if results["first_calls"]:
        parts += [
            "### The first call of a process",
            "",
            "5,000 MNIST images; the first fit also imports the package, and compiles its kernels "
            "(cold cache) or loads them (warm).",
            "",
            "| cache | first, s | second, s | more, s |",
            "|---|---|---|---|",
        ]
        for call in results["first_calls"]:
            first, second = call["first"], call["second"]
            parts.append(f"| {call['cache']} | {first:.2f} | {second:.2f} | {first - second:.2f} |")
        parts.append("")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*parts, f"Versions: {versions}."])


def draw(results):
    """Draw time and KL divergence over the number of points; one case of each number."""
    found = medians(results["runs"])
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    time_axes, kl_axes = figure.subplots(1, 2)
    for engine in ENGINES:
        rows = sorted(
            (of["n_samples"], of["seconds"], of["exact_kl"])
            for (case, name), of in found.items()
            if name == engine and case != "clusters-10k"
        )
        if rows:
            n, seconds, kl = zip(*rows, strict=True)
            style = {"color": COLORS[engine], "marker": "o", "label": engine, "linewidth": 2}
            time_axes.plot(n, seconds, **style)
            kl_axes.plot(n, kl, **style)
    time_axes.set(xscale="log", yscale="log", xlabel="points", ylabel="seconds")
    kl_axes.set(xscale="log", xlabel="points", ylabel="exact KL divergence")
    for axes in (time_axes, kl_axes):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6")
    time_axes.legend(frameon=False)
    return figure


def write_report(results):
    page = DOCS / "benchmarks.md"
    text = page.read_text()
    pattern = r"(<!-- t-SNE: begin -->\n).*?(<!-- t-SNE: end -->)"
    page.write_text(
        re.sub(pattern, lambda m: f"{m[1]}\n{text_of(results)}\n\n{m[2]}", text, flags=re.S)
    )
    (DOCS / "images").mkdir(exist_ok=True)
    draw(results).savefig(DOCS / "images" / "benchmark-tsne.png", dpi=140)
