"""How long the list of calls takes to answer with many calls: 100 000 made up ones in SQLite, asked over the app.

python -m benchmarks.store                      # about three minutes, most of them making the calls
python -m benchmarks.store --keep /tmp/many     # leaves the folder, and asks it again the next time
"""

import argparse
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import insert
from starlette.testclient import TestClient

from api.app import create_app
from api.config import Config, Server
from api.rows import AlertRow, CallRow, CueRow, transcripts
from api.store import Store
from pipeline.settings import Storage
from tests.fakes import fake_engines

CALLS = 100_000
WORDS = 250
"""Words of a transcript: two minutes of talk."""
VOCABULARY = 5_000
ASKED = 20
"""Times that each question is asked."""
BATCH = 2_000
KINDS = ("customer_anger", "talk_over", "complaint", "threat", "that_helped", "defensive")
CUES = ("complaint", "empathy", "threat", "apology", "question", "relief", "repeat_contact")
QUESTIONS = {
    "newest": "",
    "page 1000": "offset=50000",
    "last week": "from=2026-10-25",
    "one agent": "agent_id=agent7",
    "team, queue": "team=team3&queue=queue1",
    "anger >= 0.6": "min_anger=0.6",
    "worst": "sort=anger",
    "interruptions": "min_interruptions=5&sort=interruptions",
    "silence": "min_silence_s=20&sort=silence",
    "cue": "cue=threat",
    "alert": "alert=customer_anger",
    "not reviewed": "reviewed=false&min_alerts=1",
    "rare word": "q=word4000",
    "common word": "q=word3",
    "two words": "q=word20 word300",
    "all at once": "q=word20&team=team3&min_anger=0.5&cue=complaint&reviewed=false&sort=anger&from=2026-06-01",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--keep", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.keep or Path(temporary)
        if not (folder / ".calls.db").exists():
            fill(folder, wanted.calls)
        measure(folder)


def fill(folder: Path, count: int) -> None:
    """Rows straight into the list; nothing is on disk beside it, so the server is told not to settle them."""
    began = time.perf_counter()
    store = Store(Store.beside(folder))
    chance = random.Random(7)
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]
    words = [f"word{rank}" for rank in range(VOCABULARY)]
    with store._engine.begin() as connection:
        for first in range(0, count, BATCH):
            numbers = range(first + 1, min(first + BATCH, count) + 1)
            connection.execute(insert(CallRow), [_call(number, chance) for number in numbers])
            texts = [" ".join(chance.choices(words, weights, k=WORDS)) for _ in numbers]
            rows = [{"rowid": number, "text": text} for number, text in zip(numbers, texts, strict=True)]
            connection.execute(insert(transcripts), rows)
            connection.execute(insert(AlertRow), [row for number in numbers for row in _alerts(number, chance)])
            connection.execute(insert(CueRow), [row for number in numbers for row in _cues(number, chance)])
    store.close()
    size = Path(Store.beside(folder).removeprefix("sqlite:///")).stat().st_size
    print(f"{count} calls of {WORDS} words made in {time.perf_counter() - began:.0f} s, {size / 1e6:.0f} MB")


def measure(folder: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    config = Config(storage=Storage(folder=str(folder)), policy="standard", server=Server())
    app = create_app(config, fake_engines())
    app.state.desk.store.settle = lambda archive: 0
    print(f"{'question':16} {'total':>7} {'median ms':>10} {'p95 ms':>8}")
    every: list[float] = []
    with TestClient(app, "http://127.0.0.1") as client:
        for name, query in QUESTIONS.items():
            total, taken = 0, []
            for _ in range(ASKED):
                began = time.perf_counter()
                answer = client.get(f"/calls?limit=50&{query}")
                taken.append((time.perf_counter() - began) * 1000)
                total = answer.json()["total"]
            every += taken
            print(f"{name:16} {total:7} {statistics.median(taken):10.0f} {_p95(taken):8.0f}")
        began = time.perf_counter()
        client.get("/filters")
        print(f"filters, once: {(time.perf_counter() - began) * 1000:.0f} ms")
        began = time.perf_counter()
        client.get("/trends/sums?by=week&from=2026-05-01")
        print(f"trends of half a year, once: {(time.perf_counter() - began) * 1000:.0f} ms")
    print(f"all questions: median {statistics.median(every):.0f} ms, p95 {_p95(every):.0f} ms")


def _p95(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=20)[-1]


def _id(number: int) -> str:
    return f"made-{number:06}"


def _call(number: int, chance: random.Random) -> dict[str, Any]:
    started = datetime(2025, 11, 1, tzinfo=UTC) + timedelta(minutes=number * 5.25)
    made = int(chance.expovariate(0.7))
    return {
        "place": number, "id": _id(number), "agent_id": f"agent{chance.randrange(200)}",
        "started": started.isoformat(timespec="seconds"), "duration_s": round(chance.lognormvariate(5.2, 0.7), 3),
        "state": "ended", "policy": "standard", "source": "upload", "notice_given": "", "queue": f"queue{number % 6}",
        "team": f"team{chance.randrange(12)}", "direction": "inbound", "fields": {},
        "alerts": int(chance.expovariate(0.6)),
        "interruptions": made, "agent_interruptions": made, "customer_interruptions": 0, "overlaps": made * 2,
        "silences": 2, "longest_silence_ms": int(chance.expovariate(1 / 6000)),
        "response_ms": chance.randrange(200, 1500),
        "faults": 0, "peak_anger": round(chance.betavariate(1.2, 4), 3), "peak_tension": None,
        "reviewed": chance.random() < 0.2, "comments": 0, "written": False, "wpm": {}, "talk_ms": {},
    }  # fmt: skip


def _alerts(number: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    for n in range(chance.randrange(4)):
        yield {
            "call_id": _id(number), "n": n, "kind": chance.choice(KINDS), "state": "cleared", "severity": "coach",
            "raised_ms": 1000, "cleared_ms": 9000, "advice": "Let them finish", "reason": "", "counts": True,
        }  # fmt: skip


def _cues(number: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    for name in chance.sample(CUES, chance.randrange(5)):
        yield {"call_id": _id(number), "channel": "customer", "name": name, "count": 1, "helped": 0}


if __name__ == "__main__":
    main()
