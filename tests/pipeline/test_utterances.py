"""Where speech is cut, and what is asked of the recogniser while it runs. No model but where it says so."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline import settings as s
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.cutter import FIRST, GROWTH, SEARCH, Ask, Cutter
from pipeline.events import Region
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.session import Activity, Session, Tick, Utterance
from pipeline.settings import Words
from pipeline.timebase import RATE, TICK, Span, samples
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, Stretches, frames, run

WORDS = STANDARD.words
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
PAD, HANGOVER = samples(WORDS.pad_s), samples(STANDARD.speech.hangover_s)


def noise(ticks: int) -> NDArray[np.int16]:
    return np.random.default_rng(1).normal(0, 1000, ticks * TICK).astype(np.int16)


def voiced(speech: Sequence[bool]) -> NDArray[np.int16]:
    """Noise that is soft where nobody speaks."""
    loud = np.where(speech, 1.0, 0.05).repeat(TICK)
    return (noise(len(speech)) * loud).astype(np.int16)


def activities(speech: Sequence[bool]) -> list[Activity]:
    """What the speech node would tell of ticks that hold speech or not, its onset left out."""
    told, speaking, start, last = [], False, 0, 0
    for n, loud in enumerate(speech):
        end = (n + 1) * TICK
        if loud:
            start = start if speaking else n * TICK
            speaking, last = True, end
        elif speaking and end - last >= HANGOVER:
            speaking = False
        told.append(Activity(0.9 if loud else 0.1, speaking, start, last))
    return told


def script(*stretches: tuple[float, float], length: float) -> list[bool]:
    """Ticks whose middle lies in a stretch, in seconds."""
    middles = [(n + 0.5) * TICK / RATE for n in range(int(length * RATE) // TICK)]
    return [any(start <= middle < end for start, end in stretches) for middle in middles]


def asks(speech: Sequence[bool], pcm: NDArray[np.int16] | None = None, words: s.Words = WORDS) -> list[tuple[int, Ask]]:
    """Every ask, with the sample at which it was made."""
    cutter, found = Cutter(words), []
    pcm = noise(len(speech)) if pcm is None else pcm
    for n, activity in enumerate(activities(speech)):
        ask = cutter.step(pcm[n * TICK : (n + 1) * TICK], (n + 1) * TICK, activity)
        found += [((n + 1) * TICK, ask)] if ask is not None else []
    return found


def finals(found: Sequence[tuple[int, Ask]]) -> list[Ask]:
    return [ask for _, ask in found if ask.stage == "final"]


def drafts(found: Sequence[tuple[int, Ask]], stage: str) -> list[tuple[int, Ask]]:
    return [(at, ask) for at, ask in found if ask.stage == stage]


def test_a_short_utterance_waits_for_the_whole_pause() -> None:
    found = asks(script((1, 2), (2.5, 3), length=5))
    (final,) = finals(found)
    assert final.span.end - 3 * RATE == pytest.approx(PAD, abs=TICK)
    assert found[-1][0] - 3 * RATE == pytest.approx(samples(WORDS.join_s), abs=TICK)


def test_the_longer_it_runs_the_shorter_the_pause_that_ends_it() -> None:
    """The same pause of 0.4 s parts long stretches of speech, and no short ones."""
    assert len(finals(asks(script((1, 3), (3.4, 5), length=7)))) == 1
    long = WORDS.longest_s - 1
    assert len(finals(asks(script((1, long), (long + 0.4, long + 2), length=long + 4)))) == 2


def test_the_pause_never_falls_under_a_breath() -> None:
    pause = WORDS.breath_s - 0.05
    start = WORDS.longest_s - 0.5
    first = finals(asks(script((1, start), (start + pause, 60), length=30)))[0]
    assert first.span.end > samples(start + pause)


def test_a_longer_pause_than_the_one_asked_for_is_not_wanted_of_long_speech() -> None:
    """Where ``breath_s`` is set over ``join_s``, a pause of ``join_s`` still ends everything."""
    words = WORDS.model_copy(update={"breath_s": 2.0, "join_s": 0.3})
    assert len(finals(asks(script((1, 10), (10.5, 11), length=13), words=words))) == 2


def test_running_speech_is_cut_in_its_last_second_and_known_within_it() -> None:
    found = asks(script((1, 60), length=61))
    cuts = [(at, ask) for at, ask in found if ask.stage == "final"][:-1]
    assert len(cuts) >= 3
    assert all(ask.span.seconds <= WORDS.longest_s for _, ask in cuts)
    assert all(0 < at - ask.span.end <= SEARCH * TICK for at, ask in cuts)


def test_it_is_cut_at_its_quietest_moment() -> None:
    """Quiet for 100 ms; a single quieter tick, as in the closure of a consonant, is not taken for it."""
    speech = script((1, 30), length=31)
    pcm = noise(len(speech))
    limit = 1 - WORDS.pad_s + WORDS.longest_s
    pcm[samples(limit - 0.6) : samples(limit - 0.5)] //= 8
    pcm[samples(limit - 0.3) : samples(limit - 0.3) + TICK] //= 20
    first = finals(asks(speech, pcm))[0]
    assert limit - 0.6 <= first.span.end / RATE <= limit - 0.5


def test_nothing_is_asked_of_a_click() -> None:
    assert asks(script((1, 1.1), length=3)) == []


def test_a_pause_is_asked_for_once_with_just_what_the_final_will_have() -> None:
    found = asks(script((1, 1.8), length=3))
    assert [ask.stage for _, ask in found] == ["paused", "final"]
    (paused_at, paused), (final_at, final) = found
    assert paused.span == final.span
    assert np.array_equal(paused.pcm, final.pcm)
    assert paused_at - 1.8 * RATE == pytest.approx(HANGOVER, abs=TICK)
    assert final_at - paused_at == pytest.approx(samples(WORDS.join_s) - HANGOVER, abs=TICK)


def test_each_pause_is_asked_for() -> None:
    found = asks(script((1, 1.5), (1.9, 2.4), (2.8, 3.3), length=5))
    assert len(drafts(found, "paused")) == 3
    assert len(finals(found)) == 1
    assert len({ask.span.start for _, ask in found}) == 1


def test_a_pause_is_not_asked_for_before_the_padding_is_complete() -> None:
    words = WORDS.model_copy(update={"pad_s": 0.4})
    (paused_at, paused), (_, final) = asks(script((1, 1.5), length=3), words=words)
    assert paused.stage == "paused"
    assert paused.span == final.span
    assert paused_at >= paused.span.end


def test_a_running_utterance_is_asked_for_as_it_grows() -> None:
    found = drafts(asks(script((1, 6), length=8)), "running")
    ends = [ask.span.end for _, ask in found]
    assert ends == [at for at, _ in found]
    assert ends[0] - found[0][1].span.start == pytest.approx(FIRST, abs=TICK)
    steps = [two - one for one, two in itertools.pairwise(ends)]
    assert len(steps) >= 3
    assert all(samples(WORDS.draft_s) <= step < samples(WORDS.draft_s) + TICK for step in steps)


def test_drafts_of_a_long_utterance_come_less_often() -> None:
    """Each hears all of it once more; together they hear a bounded multiple of its length."""
    words = WORDS.model_copy(update={"longest_s": 28.0})
    lengths = [ask.span.length for _, ask in drafts(asks(script((1, 28), length=30), words=words), "running")]
    steps = [two - one for one, two in itertools.pairwise(lengths)]
    assert steps == sorted(steps)
    assert steps[-1] > 2 * steps[0]
    assert sum(lengths) <= (GROWTH + 1) * lengths[-1]


def test_no_drafts_are_asked_for_where_none_are_wanted() -> None:
    words = WORDS.model_copy(update={"draft_s": 0.0})
    assert {ask.stage for _, ask in asks(script((1, 6), (6.4, 9), length=12), words=words)} == {"final"}


def test_a_channel_that_leaves_ends_what_it_had_begun() -> None:
    cutter, pcm = Cutter(WORDS), noise(60)
    for n, activity in enumerate(activities([True] * 60)):
        cutter.step(pcm[n * TICK : (n + 1) * TICK], (n + 1) * TICK, activity)
    ask = cutter.leave()
    assert ask is not None
    assert (ask.stage, ask.span) == ("final", Span(0, 60 * TICK))
    assert cutter.leave() is None


@st.composite
def conversations(draw: st.DrawFn) -> list[bool]:
    """Speech and silence in ticks, as many of each as may come."""
    lengths = draw(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 30)), max_size=25))
    speech = [loud for on, off in lengths for loud in [True] * on + [False] * off]
    return [False] * 10 + speech + [False] * 64


@settings(max_examples=60, deadline=None, phases=NO_SHRINKING)
@given(conversations())
def test_no_speech_is_lost_or_asked_for_twice(speech: list[bool]) -> None:
    pcm = voiced(speech)
    found = asks(speech, pcm)
    spans = [ask.span for ask in finals(found)]
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
    assert all(np.array_equal(ask.pcm, pcm[ask.span.start : ask.span.end]) for _, ask in found)
    assert all(ask.span.end <= at for at, ask in found)
    assert all(span.length <= samples(WORDS.longest_s) + PAD for span in spans)
    covered = np.zeros(len(pcm), bool)
    for span in spans:
        covered[span.start : span.end] = True
    lost = [n for n, loud in enumerate(speech) if loud and not covered[n * TICK : (n + 1) * TICK].all()]
    assert all(_click(speech, n) for n in lost)


def _click(speech: list[bool], n: int) -> bool:
    """Whether all speech around a tick is less than is asked for."""
    reach = samples(WORDS.breath_s) // TICK
    return sum(speech[max(0, n - reach) : n + reach + 1]) * TICK < samples(WORDS.shortest_s)


@settings(max_examples=30, deadline=None, phases=NO_SHRINKING)
@given(conversations())
def test_drafts_lie_in_their_final_and_change_nothing(speech: list[bool]) -> None:
    """Until a forced cut, a draft is a beginning of its final; finals are the same without drafts."""
    pcm = voiced(speech)
    found = asks(speech, pcm)
    spans = {ask.span.start: ask.span for ask in finals(found)}
    for at, ask in found:
        if ask.stage != "final":
            assert ask.span.start in spans
            assert ask.span.end <= max(spans[ask.span.start].end, at)
    silent = WORDS.model_copy(update={"draft_s": 0.0})
    assert [ask.span for ask in finals(asks(speech, pcm, silent))] == [ask.span for ask in finals(found)]


class Plays:
    """A region of music on the agent's channel, told at its beginning, in seconds."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end, self._n = samples(start), samples(end), 0

    def step(self, tick: Tick) -> None:
        span = Span(self._start, max(self._start, tick.end))
        if not self._n and tick.end >= self._start:
            self._n = tick.emit(Region(span=span, at=tick.end, kind="music", channel=Channel.AGENT, open=True))


def asked(agent: Stretches, customer: Stretches, length: float, *between: object) -> list[Utterance]:
    """What the node asks in a scripted call."""
    found: list[Utterance] = []
    node = UtterancesNode(TWO_CHANNEL, WORDS, enabled=True)

    class Listens:
        def step(self, tick: Tick) -> None:
            found.extend(tick.asked)

    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(agent, customer))
    run(Session(INFO, [], [speech, *between, node, Listens()]), frames(length))  # type: ignore[list-item]
    return found


def test_a_number_is_taken_at_the_first_asking_and_kept_by_the_final() -> None:
    found = asked([(1, 5)], [(2, 8)], 10)
    numbers = {number: [u for u in found if u.number == number] for number in (1, 2)}
    assert sum(map(len, numbers.values())) == len(found)
    for number, channel in ((1, Channel.AGENT), (2, Channel.CUSTOMER)):
        assert {u.channel for u in numbers[number]} == {channel}
        assert [u.stage for u in numbers[number]].count("final") == 1
        assert numbers[number][-1].stage == "final"
        assert {u.span.start for u in numbers[number]} == {numbers[number][0].span.start}


def test_the_next_utterance_of_a_channel_has_another_number() -> None:
    found = asked([(1, 2), (4, 5)], [], 7)
    assert [u.number for u in found if u.stage == "final"] == [1, 2]


def test_two_runs_ask_the_same() -> None:
    one, two = (asked([(1, 9)], [(3, 4), (6, 20)], 22) for _ in range(2))
    assert [(u.number, u.span, u.stage) for u in one] == [(u.number, u.span, u.stage) for u in two]
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(one, two, strict=True))


def test_what_a_singer_sings_is_not_drafted() -> None:
    found = asked([(1, 6)], [(1, 6)], 8, Plays(1, 9))
    assert {u.channel for u in found} == {Channel.CUSTOMER}


def test_one_sound_on_both_channels_goes_on_under_the_number_of_its_drafts() -> None:
    """The channels turn out to be one at 3 s, in the middle of an utterance."""

    class Twins:
        def step(self, tick: Tick) -> None:
            if tick.start >= 3 * RATE:
                tick.channels, tick.samples = MONO, tick.samples[:1]

    found: list[Utterance] = []
    node = UtterancesNode(TWO_CHANNEL, WORDS, enabled=True)

    class Listens:
        def step(self, tick: Tick) -> None:
            found.extend(tick.asked)

    both: Stretches = [(1, 5)]
    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(both, both, [(0, 2)]))
    run(Session(INFO, [], [Twins(), speech, node, Listens()]), frames(7))
    first = next(u for u in found if u.channel is Channel.AGENT)
    (final,) = (u for u in found if u.stage == "final")
    assert (final.channel, final.number, final.span.start) == (Channel.UNKNOWN, first.number, first.span.start)


def test_the_tick_s_own_samples_are_asked_for() -> None:
    """What an earlier node has taken out of a tick is not handed to the recogniser, and the rest is not changed."""

    class Hushes:
        def step(self, tick: Tick) -> None:
            if 2 * RATE <= tick.start < 3 * RATE:
                tick.samples[0] = 0.0

    (final,) = (u for u in asked([(1, 4)], [], 6, Hushes()) if u.stage == "final")
    whole = np.concatenate([frame.pcm[0] for frame in frames(6)])
    whole[-(-2 * RATE // TICK) * TICK : -(-3 * RATE // TICK) * TICK] = 0
    assert np.array_equal(final.pcm, whole[final.span.start : final.span.end])


def test_no_more_is_kept_than_an_utterance_can_need() -> None:
    """However long a call is silent, or talks."""
    cutter, pcm = Cutter(WORDS), noise(1)
    for n, activity in enumerate(activities([False] * 2000 + [True] * 2000)):
        cutter.step(pcm, (n + 1) * TICK, activity)
        assert len(cutter._audio) <= 2 * samples(WORDS.longest_s + WORDS.pad_s + 1.1)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_every_range_cut_all_speech_and_lose_none(end: str) -> None:
    """A monologue of 30 s: the bounds that settings accept neither break the cutter nor swallow what was said."""
    cutting = ("join_s", "easy_s", "breath_s", "longest_s", "shortest_s", "pad_s")
    bounds = {name: Words.model_fields[name].metadata for name in cutting}
    side = {"low": "ge", "high": "le"}[end]
    values = {
        name: next(getattr(each, side) for each in found if hasattr(each, side)) for name, found in bounds.items()
    }
    spans = [ask.span for ask in finals(asks(script((1, 31), length=40), words=Words(**values)))]
    assert spans[0].start <= RATE
    assert spans[-1].end >= 31 * RATE - TICK
    assert all(one.end == two.start for one, two in itertools.pairwise(spans))


@pytest.mark.parametrize("wrong", [{"join_s": 0.0}, {"shortest_s": 2.0}])
def test_bounds_under_which_nothing_would_be_heard_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Words(**wrong)  # type: ignore[arg-type]
