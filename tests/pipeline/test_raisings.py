"""``benchmarks.anger`` counts as an alert what the product would: the rule of ``pipeline.watchers``, over again."""

from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.anger import raisings
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Score
from pipeline.inputs import Frame
from pipeline.playbook import load_playbook
from pipeline.session import Tick
from pipeline.timebase import RATE, TICK, Span
from pipeline.triggers import OnScore
from pipeline.watchers import watcher

ADVICE = next(each for each in load_playbook().advice if each.kind == "customer_anger")
TICKS = 200


def score(tick: int, value: float) -> Score:
    end = tick * TICK
    span = Span(max(0, end - 16 * TICK), end)
    return Score(
        span=span, at=end, kind="anger", channel=Channel.CUSTOMER, value=value, coverage=1.0, parts={}, evidence=()
    )


def seen(scores: dict[int, Score], when: OnScore) -> list[float]:
    """Seconds at which the product's own watcher says that the state begins, until it says that it is over."""
    looking, raised, up = watcher(ADVICE.model_copy(update={"when": when})), [], False
    for number in range(1, TICKS):
        frame = Frame((number - 1) * TICK, np.zeros((2, TICK), np.int16))
        tick = Tick(frame, TWO_CHANNEL, np.zeros((2, TICK), np.float32), False, count(1))
        if number in scores:
            tick.emit(scores[number])
        signal = looking.look(tick)
        if signal.begins and not up:
            raised.append(tick.end / RATE)
        up = (up or signal.begins) and signal.ends is None
    return raised


@given(
    st.dictionaries(st.integers(1, TICKS - 40), st.sampled_from([0.1, 0.3, 0.39, 0.4, 0.5]), max_size=12),
    st.sampled_from([0.0, 0.1, 0.5, 2.0]),
)
@settings(deadline=None)
def test_an_alert_is_counted_when_the_watcher_raises_it(values: dict[int, float], held: float) -> None:
    when = OnScore(on="score", score="anger", above=0.4, below=0.22, for_s=held)
    scores = {tick: score(tick, value) for tick, value in sorted(values.items())} | {TICKS - 1: score(TICKS - 1, 0.0)}
    assert raisings(list(scores.values()), when) == seen(scores, when)
