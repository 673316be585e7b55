"""A told-apart mono recording is an ordinary two-channel call: known truth instead of a voice model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import soundfile

from api.cli import run
from api.commands import analyze, context
from api.commands.analyze import Wanted
from models.diarise import Diarisation, Stretch
from models.errors import ModelError
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput, EngineFault
from pipeline.events import CallStarted, Overlap, OverlapRevised, Turn
from pipeline.graph import build
from pipeline.session import CallInfo
from pipeline.sources import diarised
from pipeline.sources.diarised import RAMP, UNSURE, Likeness, mixed, rows_of, tell_apart
from pipeline.sources.recording import open_recording
from pipeline.timebase import RATE, TICK
from tests import synth
from tests.fakes import fake_engines, fake_identity, speech, stereo
from tests.pipeline.drive import STANDARD, engines, events, heard


@dataclass
class FakeDiariser:
    """Knows the truth. Keeps what it heard."""

    found: Diarisation
    error: ModelError | None = None
    heard: np.ndarray | None = None
    identity = fake_identity("fake voices")

    def diarise(self, samples):
        if self.error is not None:
            raise self.error
        self.heard = samples
        return self.found


def known(truth: synth.Truth) -> Diarisation:
    """Both parties' speech, numbered by who speaks first."""
    order = sorted(synth.CHANNELS, key=lambda who: truth.speech[who][0].start)
    stretches = [Stretch(s.start, s.end, n, 1.0) for n, who in enumerate(order) for s in truth.speech[who]]
    overlaps = tuple((span.start, span.end) for span in truth.overlaps)
    return Diarisation(tuple(sorted(stretches, key=lambda each: each.start)), overlaps, 2)


LINES = [
    synth.Line("customer", 0.5, 4.0, f0_hz=200),
    synth.Line("agent", 3.0, 5.0, f0_hz=110),
    synth.Line("customer", 9.0, 3.0, f0_hz=200),
]


@pytest.fixture(scope="module")
def call():
    return synth.build(LINES, 14.0)


@pytest.fixture
def mono(call, tmp_path):
    """The call mixed to one channel, as a file."""
    soundfile.write(tmp_path / "mono.wav", call[0].sum(axis=1, dtype=np.int16), RATE)
    return open_recording([tmp_path / "mono.wav"])


def told(mono, call, **how):
    return tell_apart(mono, FakeDiariser(known(call[1])), **how)


def test_a_row_is_the_recording_where_its_party_speaks_and_silent_elsewhere(mono, call):
    pcm, truth = call
    rows = told(mono, call, agent_voice=2).rows
    mix = pcm.sum(axis=1, dtype=np.int16)
    assert rows.shape == (2, len(mix))
    for row, who in zip(rows, synth.CHANNELS, strict=True):
        outside = np.ones(len(mix), bool)
        for span in truth.speech[who]:
            assert np.array_equal(row[span.start : span.end], mix[span.start : span.end])
            outside[max(0, span.start - RAMP) : span.end + RAMP] = False
        assert not row[outside].any()


def test_the_edges_are_ramps_of_8_ms(mono, call):
    """A row opens before a stretch, never in it."""
    loud = np.full(4000, 10_000, np.int16)
    rows = rows_of(loud, Diarisation((Stretch(1000, 2000, 0, 1.0),), (), 1))
    rise = rows[0, 1000 - RAMP : 1000].astype(int)
    assert (np.diff(rise) > 0).all()
    assert 0 < rise[0] < 200
    assert np.array_equal(rows[0, 2000 : 2000 + RAMP], rise[::-1])
    assert not rows[0, : 1000 - RAMP].any()
    assert not rows[0, 2000 + RAMP :].any()


def test_a_ramp_never_thins_a_stretch_nearby():
    loud = np.full(4000, 10_000, np.int16)
    rows = rows_of(loud, Diarisation((Stretch(0, 1000, 0, 1.0), Stretch(1020, 4000, 0, 1.0)), (), 1))
    assert (rows[0, :1000] == 10_000).all()
    assert (rows[0, 1020:] == 10_000).all()


def test_overlaps_can_be_seen_in_the_audio_alone(mono, call):
    rows = told(mono, call).rows
    where = np.flatnonzero(mixed(rows))
    (overlap,) = call[1].overlaps
    assert overlap.start - RAMP <= where.min() < overlap.start + 50
    assert overlap.end - 50 < where.max() < overlap.end + RAMP
    assert len(where) > 0.95 * (overlap.end - overlap.start)


def test_who_speaks_first_is_the_agent_unless_the_user_says_otherwise(mono, call):
    first, second = told(mono, call), told(mono, call, agent_voice=2)
    assert np.array_equal(first.rows, second.rows[::-1])
    assert first.rows[0, RATE : 2 * RATE].any(), "the first voice is row 0"
    assert np.array_equal(told(mono, call, agent_voice=1).rows, first.rows)


def test_feelings_are_withheld_unless_the_roles_are_stated(mono, call):
    assert told(mono, call).unavailable == {"anger": UNSURE, "tension": UNSURE}
    assert told(mono, call, agent_voice=1).unavailable == {}


def test_a_warning_says_that_it_is_an_estimate_and_by_what(mono, call):
    assert any("estimates" in line and "fake voices" in line for line in told(mono, call).warnings)


def test_third_voices_and_strangers_go_to_neither(mono, call):
    truth = known(call[1])
    third = Stretch(13 * RATE, 14 * RATE, 2, 0.9)
    rows = tell_apart(mono, FakeDiariser(replace(truth, stretches=(*truth.stretches, third), speakers=3))).rows
    assert not rows[:, 13 * RATE + RAMP :].any()
    result = tell_apart(mono, FakeDiariser(replace(truth, foreign=3 * RATE)))
    assert any(line.startswith("3 s of other voices") for line in result.warnings)


def test_one_voice_leaves_the_other_channel_silent_and_says_so(mono):
    result = tell_apart(mono, FakeDiariser(Diarisation((Stretch(0, RATE, 0, 1.0),), (), 1)))
    assert result.rows[0].any()
    assert not result.rows[1].any()
    assert any("only one voice" in line for line in result.warnings)


def test_the_diariser_hears_the_whole_recording_once(mono, call):
    fake = FakeDiariser(known(call[1]))
    result = tell_apart(mono, fake)
    assert fake.heard.dtype == np.float32
    assert np.array_equal(fake.heard * 32768, call[0].sum(axis=1, dtype=np.int16))
    assert result.heard == len(fake.heard)


def test_frames_are_whole_ticks_of_the_rows_as_often_as_wanted(mono, call):
    result = told(mono, call)
    one, two = (list(result.frames()) for _ in range(2))
    assert all(frame.pcm.shape == (2, TICK) and frame.pcm.dtype == np.int16 for frame in one)
    assert [frame.start for frame in one] == list(range(0, len(one) * TICK, TICK))
    joined = np.concatenate([frame.pcm for frame in two], axis=1)
    assert np.array_equal(joined[:, : result.heard], result.rows)
    assert not joined[:, result.heard :].any()


def test_turns_overlap_and_interrupter_are_those_of_the_two_channel_call(mono, call):
    result = told(mono, call, agent_voice=2)
    info = CallInfo(call_id="mono", channels=TWO_CHANNEL, attribution=result.attribution)
    entries, direct = heard(np.ascontiguousarray(result.rows.T), info), heard(call[0])
    (started,) = events(entries, CallStarted)
    assert started.attribution == "diarised"
    (overlap,), (true,) = events(entries, Overlap), events(direct, Overlap)
    assert overlap.interrupter == true.interrupter == Channel.AGENT
    assert abs(overlap.span.start - true.span.start) <= 4 * TICK
    assert [each.kind for each in events(entries, OverlapRevised)][-1:] == [
        each.kind for each in events(direct, OverlapRevised)
    ][-1:]
    turns, wanted = events(entries, Turn), events(direct, Turn)
    assert [turn.channel for turn in turns] == [turn.channel for turn in wanted]
    for turn, want in zip(turns, wanted, strict=True):
        assert abs(turn.talk - want.talk) <= 0.15 * want.talk


def test_no_voice_is_refused(mono):
    with pytest.raises(BadInput, match="no voice was found"):
        tell_apart(mono, FakeDiariser(Diarisation((), (), 0)))


def test_a_recording_too_long_is_refused_before_it_is_read(mono, monkeypatch):
    monkeypatch.setattr(diarised, "LONGEST_S", 10.0)
    monkeypatch.setattr(mono, "frames", lambda: pytest.fail("was read"))
    with pytest.raises(BadInput, match=r"lasts 0.0 h; .* cut it"):
        tell_apart(mono, FakeDiariser(Diarisation((), (), 0)))


def test_a_recording_longer_than_its_header_is_refused(mono, monkeypatch):
    mono.seconds = 1.0
    monkeypatch.setattr(diarised, "LONGEST_S", 10.0)
    with pytest.raises(BadInput, match="longer than its header"):
        tell_apart(mono, FakeDiariser(Diarisation((), (), 0)))


def test_a_model_that_fails_is_an_engine_fault(mono):
    with pytest.raises(EngineFault, match="broken weights"):
        tell_apart(mono, FakeDiariser(Diarisation((), (), 0), ModelError("broken weights")))


def likeness(left, right) -> bool:
    judge = Likeness()
    pcm = stereo([left], [right]).T
    for start in range(0, pcm.shape[1], TICK):
        judge.add(pcm[:, start : start + TICK])
    return judge.same


def test_one_sound_twice_is_told_whatever_its_gain():
    sound = speech(2.0)
    assert likeness(sound, sound)
    assert likeness(sound, sound // 4)
    assert not likeness(sound, speech(2.0, seed=1))
    assert not likeness(sound, sound * 0)
    assert not likeness(sound * 0, sound * 0)
    assert not likeness(sound, -sound)


def test_two_parties_on_a_line_with_an_echo_are_not_one_sound(call):
    left, right = call[0].T.astype(int)
    assert not likeness((left + right // 4).astype(np.int16), (right + left // 4).astype(np.int16))


def test_one_channel_has_no_likeness():
    judge = Likeness()
    judge.add(speech(1.0)[None])
    assert not judge.same


def examined(path, **how):
    return analyze.examined([path], Wanted(store=False, **how), None)


def test_dual_mono_is_suggested_without_the_option_and_taken_with_it(call, tmp_path):
    mix = call[0].sum(axis=1, dtype=np.int16)
    soundfile.write(tmp_path / "dual.wav", np.stack([mix, mix], axis=1), RATE)
    plain, wanted = examined(tmp_path / "dual.wav"), examined(tmp_path / "dual.wav", tell_apart=True)
    assert any("--tell-apart" in line for line in plain.info.warnings)
    assert not wanted.info.warnings
    assert wanted.one_channel
    job = analyze._told_apart(wanted, FakeDiariser(known(call[1])), None)
    assert np.array_equal(job.recording.rows, told_from(call, mix))
    assert (job.info.channels, job.info.attribution) == (TWO_CHANNEL, "diarised")
    assert job.info.unavailable == {"anger": UNSURE, "tension": UNSURE}


def told_from(call, mix):
    return rows_of(mix, known(call[1]))


def test_a_real_stereo_call_is_left_alone_with_the_option(call, tmp_path):
    soundfile.write(tmp_path / "stereo.wav", call[0], RATE)
    job = examined(tmp_path / "stereo.wav", tell_apart=True)
    assert not job.one_channel
    assert not job.info.warnings


def test_the_agents_voice_needs_the_option(tmp_path):
    with pytest.raises(BadInput, match="add --tell-apart"):
        analyze.run(None, [tmp_path / "a.wav"], Wanted(agent_voice=1))


@pytest.fixture
def command(call, tmp_path, monkeypatch):
    """The mono file, with fake engines and the truth for a voice model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    monkeypatch.setattr(context.graph, "load", lambda *_: fake_engines())
    monkeypatch.setattr(analyze, "SenkoDiariser", lambda: FakeDiariser(known(call[1])))
    soundfile.write(tmp_path / "mono.wav", call[0].sum(axis=1, dtype=np.int16), RATE)
    return str(tmp_path / "mono.wav")


def test_analyze_tells_a_mono_file_apart_and_its_replay_needs_no_voice_model(command, capsys, monkeypatch):
    assert run(["analyze", command, "--tell-apart", "--agent-voice", "2", "--call-id", "m", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["attribution"] == "diarised"
    assert set(view["channels"]) == {"agent", "customer"}
    assert view["channels"]["customer"]["talk_ms"] == pytest.approx(7000, abs=700)
    assert view["channels"]["agent"]["talk_ms"] == pytest.approx(5000, abs=700)
    monkeypatch.setattr(analyze, "SenkoDiariser", lambda: pytest.fail("asked for"))
    assert run(["replay", "m", "--verify"]) == 0
    assert "no difference" in capsys.readouterr().out


def test_without_the_option_a_mono_file_is_one_unknown_voice(command, capsys):
    assert run(["analyze", command, "--no-store", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["attribution"] == "channels"
    assert set(view["channels"]) == {"unknown"}


def test_a_missing_extra_is_one_line_and_an_engine_fault(command, capsys, monkeypatch):
    def missing() -> None:
        raise ModelError("run it so: uv run --extra mono calmline ...")

    monkeypatch.setattr(analyze, "SenkoDiariser", missing)
    assert run(["analyze", command, "--tell-apart", "--no-store"]) == 3
    assert "uv run --extra mono" in capsys.readouterr().err


def test_a_session_withholds_feelings_that_the_source_withholds(mono, call):
    result = told(mono, call)
    info = CallInfo(call_id="m", channels=TWO_CHANNEL, attribution="diarised", unavailable=result.unavailable)
    assert build(info, STANDARD, engines()).info.unavailable == {"anger": UNSURE, "tension": UNSURE}
