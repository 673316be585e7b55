"""Under a policy that infers no employee's emotions, nothing of the agent's is anywhere: not in the journal either."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from pipeline.call import Call
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.events import Score, Words
from pipeline.graph import Engines, build, load_affect
from pipeline.inputs import EngineResult
from pipeline.journal import Header, Journal, read_entries
from pipeline.replay import Recorder
from pipeline.session import CallInfo, Session, Utterance
from pipeline.settings import POLICIES, Settings
from pipeline.view import VIEW
from tests.pipeline.affect import toned
from tests.pipeline.drive import detector, engines, frames_of, spoken, tracker
from tests.synth import Line
from tests.synth import build as built

A, C = Channel.AGENT, Channel.CUSTOMER
LINES = [Line("customer", 1 + 6 * i, 2.5, f0_hz=200) for i in range(3)]
LINES += [Line("agent", 4 + 6 * i, 2.5, f0_hz=110) for i in range(3)]


def answer(utterance: Utterance) -> Future[EngineResult]:
    """As a recogniser with a scorer does: every utterance gets numbers, whoever spoke."""
    from dataclasses import replace

    future: Future[EngineResult] = Future()
    future.set_result(replace(spoken(utterance, "well then"), emotion=(0.25,)))
    return future


@pytest.fixture
def model(tmp_path: Path):  # type: ignore[no-untyped-def]
    return toned(tmp_path / "toned")


def journal_of(policy: str, model, tmp_path: Path, pcm=None) -> tuple[str, list[object], bytes]:  # type: ignore[no-untyped-def]
    """The journal's text and items, and the view as pages get it."""
    settings = Settings(policy=POLICIES[policy])
    ready = engines()
    used = Engines(detector(), tracker(), None, ready.playbook, model)
    session: Session = build(CallInfo(call_id="call", channels=TWO_CHANNEL), settings, used)
    header = Header(call=session.info, settings=settings, engines=used.identities, started="")
    path = tmp_path / "journal.jsonl"
    call = Call(session, journal=Journal(path, header))
    pcm = built(LINES, 20, telephone=True)[0] if pcm is None else pcm
    view = Recorder(call, answer, 1.0).run(frames_of(pcm), lambda: session.heard)
    return path.read_text(), [entry.item for entry in read_entries(path)], VIEW.dump_json(view)


def test_the_agents_affect_is_in_no_line_under_the_eu_policy(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text, items, view = journal_of("eu-workplace", model, tmp_path)
    results = [item for item in items if isinstance(item, EngineResult | Words)]
    assert {item.channel for item in results} == {A, C}
    assert all(item.emotion == () for item in results if item.channel is A)
    assert any(item.emotion for item in results if item.channel is C)
    assert {item.kind for item in items if isinstance(item, Score)} == {"anger"}
    agents = [json.loads(line) for line in text.splitlines() if '"channel":"agent"' in line.replace(" ", "")]
    assert agents
    for line in agents:
        dumped = json.dumps(line)
        assert not any(f'"{key}"' in dumped for key in ("tension", "arousal", "measures", "parts"))
    assert json.loads(view)["scores"]["tension"] == []


def test_where_it_is_allowed_both_have_theirs(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, items, _ = journal_of("standard", model, tmp_path)
    assert {item.channel for item in items if isinstance(item, EngineResult) and item.emotion} == {A, C}
    assert {item.kind for item in items if isinstance(item, Score)} == {"anger", "tension"}


def test_measures_only_judges_nobody_and_loads_no_weights(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, items, _ = journal_of("measures-only", model, tmp_path)
    assert not [item for item in items if isinstance(item, EngineResult | Words) and item.emotion]
    assert not [item for item in items if isinstance(item, Score)]
    assert load_affect(Settings(policy=POLICIES["measures-only"])) is None


def test_of_one_sound_on_both_channels_nothing_is_kept_once_it_is_told(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Whose it is is unknown: it may be the agent's."""
    one = built([Line("customer", 2 * i + 1, 1.9) for i in range(9)], 20)[0][:, 1]
    _, items, _ = journal_of("eu-workplace", model, tmp_path, np.stack([one, one], axis=1))
    assert not [item for item in items if isinstance(item, Score)]
    assert not [item for item in items if isinstance(item, Words) and item.emotion]


def test_a_mono_call_has_no_scores_and_no_numbers(model) -> None:  # type: ignore[no-untyped-def]
    used = Engines(detector(), tracker(), None, engines().playbook, model)
    session = build(CallInfo(call_id="mono", channels=MONO), Settings(policy=POLICIES["standard"]), used)
    utterance = Utterance(1, Channel.UNKNOWN, spanned(), np.zeros(0, np.int16))
    session.admit(answer(utterance).result())
    step = session.step(session.silence())
    assert [e.item.emotion for e in step.entries if isinstance(e.item, EngineResult)] == [()]


def spanned():  # type: ignore[no-untyped-def]
    from pipeline.timebase import Span

    return Span(0, 16_000)
