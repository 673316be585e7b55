"""How often an agent is advised: in an hour of mixed calls, and in an hour in which nobody is upset.

    uv run python -m benchmarks.advice EMOTION.csv --calm SPEECH.csv --call CALL.wav [--call ...] --cache FILE

Four kinds of call under the policy ``standard``: our sample calls; real two-channel recordings of calm calls
(``--call``); calm calls, two speakers of the tables in turns; angry calls, whose customer begins calm and goes on with
acted anger (both built by ``benchmarks.spliced``). The first two are heard with words; the others, whose speakers read
books and test sentences, for voices and turns alone, unless ``--words`` is given: words are three quarters of the work.
What was raised is kept in the cache, a line a call.

- Calm: every calm call there is, told as a rate with the exact Poisson interval (95 %).
- Mixed: an hour of all sample calls, all real ones, so many angry ones (``--angry``), and calm ones to fill it; drawn
  again and again, it gives the interval. "That helped" is told apart: it is no advice, but it counts for the most.

The sample calls' voices are synthetic, and the anger of the others is acted: how often real customers are upset, and
how often an hour has such calls, nobody measured here.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

import sample_audio
from benchmarks.anger import frames
from benchmarks.spliced import Cast, built
from pipeline import graph
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import Engines, build
from pipeline.inputs import Frame
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import open_recording
from pipeline.view import counted

SETTINGS = Settings(policy=POLICIES["standard"])
HOUR_S = 3600.0
DRAWS = 2000
HELPED = "that_helped"
CALM_SAMPLE = "calm_order"


@dataclass(frozen=True, slots=True)
class Advised:
    """One call. raised: second, kind and severity of each alert."""

    group: str
    name: str
    seconds: float
    raised: tuple[tuple[float, str, str], ...]

    @property
    def advices(self) -> int:
        return sum(kind != HELPED for _, kind, _ in self.raised)

    @property
    def calm(self) -> bool:
        return self.group in ("real", "calm") or self.name == CALM_SAMPLE


def calls(emotion: Path, calm: Path, files: Sequence[Path]) -> Iterator[tuple[str, str, Iterator[Frame]]]:
    """Group, name and frames of every call."""
    for name in sample_audio.names():
        yield "sample", name, _recorded(sample_audio.path(name))
    for file in files:
        yield "real", file.stem, _recorded(file)
    for half in ("tune", "test"):
        cast = Cast(emotion, [calm], half)
        for plan in cast.calm_calls():
            yield "calm", plan.name, frames(built(plan).pcm, 8000)
        for plan in cast.moved("anger", at_once=False, most=1):
            yield "angry", plan.name, frames(built(plan).pcm, 8000)


def _recorded(file: Path) -> Iterator[Frame]:
    return (item for item in open_recording([file]).frames() if isinstance(item, Frame))


def heard(group: str, name: str, source: Iterator[Frame], engines: Engines, pool: EnginePool | None) -> Advised:
    call = Call(build(CallInfo(call_id="advice", channels=TWO_CHANNEL), SETTINGS, engines))
    recorder = Recorder(call, pool and pool.ask, SETTINGS.words.nominal_delay_s)
    view = recorder.run(source, lambda: call.session.heard)
    raised = tuple((alert.raised_ms / 1000, alert.kind, alert.severity) for alert in counted(view.alerts))
    return Advised(group, name, view.duration_s, raised)


def rate(count: int, hours: float) -> str:
    """An hour, with the exact Poisson interval (Garwood 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{count / hours:.1f} an hour ({low / hours:.1f}-{high / hours:.1f})"


def mixed(done: Sequence[Advised], angry: int, rng: np.random.Generator) -> tuple[int, int]:
    """Advices, and all alerts, of one hour drawn with replacement."""
    groups = {name: [each for each in done if each.group == name] for name in ("sample", "real", "angry", "calm")}
    hour = [*groups["sample"], *groups["real"], *_drawn(groups["angry"], angry, rng)]
    left = HOUR_S - sum(each.seconds for each in hour)
    while left > 0:
        hour += _drawn(groups["calm"], 1, rng)
        left -= hour[-1].seconds
    return sum(each.advices for each in hour), sum(len(each.raised) for each in hour)


def _drawn(group: Sequence[Advised], count: int, rng: np.random.Generator) -> list[Advised]:
    return [group[place] for place in rng.integers(0, len(group), count)]


def told(done: Sequence[Advised], angry: int) -> Iterator[str]:
    for name in ("sample", "real", "angry", "calm"):
        group = [each for each in done if each.group == name]
        minutes = sum(each.seconds for each in group) / 60
        kinds = Counter(kind for each in group for _, kind, _ in each.raised)
        yield f"{name:6} {len(group):4} calls {minutes:6.1f} min  {dict(kinds.most_common()) or 'nothing raised'}"
    calm = [each for each in done if each.calm]
    hours = sum(each.seconds for each in calm) / HOUR_S
    yield f"calm   {hours:.2f} h: {rate(sum(len(each.raised) for each in calm), hours)}"
    if not all(any(each.group == name for each in done) for name in ("sample", "real", "angry", "calm")):
        return
    draws = np.array([mixed(done, angry, np.random.default_rng(seed)) for seed in range(DRAWS)])
    for name, column in (("advices", 0), ("with that_helped", 1)):
        yield f"mixed  hour with {angry} angry calls more: {name} {_spread(draws[:, column])}"


def _spread(values: NDArray[np.int64]) -> str:
    low, high = np.percentile(values, (2.5, 97.5))
    return f"{values.mean():.1f} (95 % of hours {low:.0f}-{high:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emotion", type=Path)
    parser.add_argument("--calm", type=Path, required=True)
    parser.add_argument("--call", type=Path, action="append", default=[])
    parser.add_argument("--words", action="store_true")
    parser.add_argument("--angry", type=int, default=4)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    lines = options.cache.read_text(encoding="utf-8").splitlines() if options.cache.is_file() else []
    done = [Advised(**json.loads(line)) for line in lines]
    known = {(each.group, each.name) for each in done}
    engines = graph.load(SETTINGS, Path("models"))
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    with options.cache.open("a", encoding="utf-8") as file:
        for group, name, source in calls(options.emotion, options.calm, options.call):
            if (group, name) not in known:
                with_words = options.words or group in ("sample", "real")
                done.append(heard(group, name, source, engines, pool if with_words else None))
                file.write(json.dumps(asdict(done[-1])) + "\n")
                file.flush()
    pool.close()
    print("\n".join(told(done, options.angry)))


if __name__ == "__main__":
    main()
