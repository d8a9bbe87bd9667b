"""The metrics, as Prometheus reads them; and the examples that use them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from support.configs import make_node
from support.scene import AT, DEAD, PASS, scene_snapshot

from inosync.rsync.stock import Day, Stock
from inosync.status.keeping import Keeping, kept_status
from inosync.status.metrics import METRICS, prometheus
from inosync.status.model import Snapshot

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = ROOT / "examples" / "grafana-dashboard.json"
ALERTS = ROOT / "examples" / "prometheus-alerts.yml"

STOCK = Stock((Day("2026-11-26", 2, 1_000_000), Day("2026-11-28", 1, 234_567)))

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def families(now: Snapshot, **more: Any) -> dict[str, Family]:
    """Return what Prometheus reads, by name."""
    return {
        family.name: family for family in text_string_to_metric_families(prometheus(now, **more))
    }


def value(now: Snapshot, name: str, /, **labels: str) -> float | None:
    """Return the value of the one sample with these labels, or None when there is none."""
    found = [
        sample.value
        for family in families(now).values()
        for sample in family.samples
        if sample.name == f"inosync_{name}" and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_prometheus_reads_every_metric_with_its_kind_and_help() -> None:
    now = scene_snapshot()
    now["mirrors"][0]["full_pass"] = PASS
    now["mirrors"][0]["kept"] = kept_status(make_node(rkeep=30.0), Keeping(AT, STOCK), 0.0)
    read = families(now)
    for metric in METRICS:
        family = read.pop(f"inosync_{metric.name}".removesuffix("_total"))
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert family.samples
    assert not read


def test_names_follow_the_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch("[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        # Base units only: https://prometheus.io/docs/practices/naming/
        assert not re.search(
            "_(ms|milliseconds|minutes|kb|mib|megabytes|percent)(_|$)", metric.name
        )
        assert metric.help.endswith(".")


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("build_info", {"version": "1.0.0", "config": "/etc/inosync.py"}, 1),
        ("running", {}, 1),
        ("in_sync", {}, 0),
        ("start_time_seconds", {}, AT - 5 * 86400),
        ("resident_memory_bytes", {}, 31 * 2**20),
        ("source_watched_directories", {"source": "/srv/www"}, 18_442),
        ("source_events_total", {"source": "/srv/mail"}, 3_530_118),
        ("source_held", {"source": "/srv/mail"}, 0),
        ("mirror_in_sync", {"source": "/srv/www", "node": DEAD}, 0),
        ("mirror_in_sync", {"source": "/srv/www", "node": "web1.example.org:/srv/"}, 1),
        ("mirror_lag_seconds", {"source": "/srv/www", "node": DEAD}, 4 * 3600),
        ("mirror_lag_seconds", {"source": "/srv/www", "node": "web1.example.org:/srv/"}, 0),
        ("mirror_state", {"source": "/srv/www", "node": DEAD, "state": "backoff"}, 1),
        ("mirror_state", {"source": "/srv/www", "node": DEAD, "state": "idle"}, 0),
        ("mirror_sent_bytes_total", {"source": "/srv/www", "node": DEAD}, 7 * 2**30),
        (
            "mirror_last_failure_timestamp_seconds",
            {"source": "/srv/www", "node": DEAD},
            AT - 71,
        ),
        (
            "mirror_last_failure_timestamp_seconds",
            {"source": "/srv/www", "node": "web1.example.org:/srv/"},
            None,
        ),
    ],
)
def test_values(name: str, labels: dict[str, str], expected: float | None) -> None:
    assert value(scene_snapshot(), name, **labels) == expected


def test_how_far_a_pass_is() -> None:
    now = scene_snapshot()
    now["mirrors"][0]["full_pass"] = PASS
    assert value(now, "mirror_pass_ratio", source="/srv/www") == 0.4
    assert value(now, "mirror_pass_left_seconds", source="/srv/www") == 90


def test_what_a_node_keeps() -> None:
    now = scene_snapshot()
    mirror = now["mirrors"][0]
    labels = {"source": mirror["source"], "node": mirror["node"]}
    assert value(now, "mirror_kept_days", **labels) is None
    mirror["kept"] = kept_status(make_node(rkeep=30.0), Keeping(AT, Stock()), 0.0)
    assert value(now, "mirror_kept_oldest_timestamp_seconds", **labels) is None
    mirror["kept"] = kept_status(make_node(rkeep=30.0), Keeping(AT, STOCK), 0.0)
    assert value(now, "mirror_kept_days", **labels) == 2
    assert value(now, "mirror_kept_oldest_timestamp_seconds", **labels) == 1_795_651_200
    assert value(now, "mirror_kept_runs", **labels) == 3
    assert value(now, "mirror_kept_bytes", **labels) == 1_234_567


def test_a_daemon_that_was_stopped() -> None:
    (sample,) = families(scene_snapshot(), running=False)["inosync_running"].samples
    assert sample.value == 0


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ('/srv/"quoted"', '/srv/"quoted"'),
        ("/srv/back\\slash\\n", "/srv/back\\slash\\n"),
        ("/srv/two\nlines\r", "/srv/two\\nlines\\r"),
        ("/srv/a}b{c=d,e # f", "/srv/a}b{c=d,e # f"),
        ("/srv/\udcff", "/srv/\\udcff"),
        ("/srv/ünïcödé ☃", "/srv/ünïcödé ☃"),
    ],
)
def test_labels_hold_any_name(path: str, read: str) -> None:
    now = scene_snapshot()
    now["sources"][0]["path"] = now["mirrors"][0]["source"] = path
    now["mirrors"][0]["node"] = path
    assert value(now, "source_held", source=read) == 0
    assert value(now, "mirror_runs_total", source=read, node=read) == 4127


def test_no_sample_is_there_twice_not_even_with_a_second_daemon() -> None:
    """node_exporter refuses all files together when two of them have the same sample."""
    first, second = scene_snapshot(), scene_snapshot()
    second["daemon"]["config"] = "/etc/inosync/other.py"
    seen = [
        line.rpartition(" ")[0]
        for now in (first, second)
        for line in prometheus(now).splitlines()
        if not line.startswith("#")
    ]
    assert len(seen) == len(set(seen))


@needs_promtool
def test_promtool_has_nothing_to_say() -> None:
    checked = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=prometheus(scene_snapshot()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@needs_promtool
def test_promtool_accepts_the_alerts() -> None:
    checked = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_examples_use_the_metrics_that_exist_and_all_of_them() -> None:
    used = set(re.findall(r"\binosync_[a-z_]+", DASHBOARD.read_text() + ALERTS.read_text()))
    assert used == {f"inosync_{metric.name}" for metric in METRICS}


def test_the_dashboard_is_one() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["targets"]


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs" / "metrics.rst").read_text()
    assert set(re.findall(r"``(inosync_[a-z_]+)``", text)) == {
        f"inosync_{metric.name}" for metric in METRICS
    }
