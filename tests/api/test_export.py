"""A stored call for other programs: the shape of Contact Lens, tables, the command and the route."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from typing import Any, cast

import jsonschema
import numpy as np
import pytest
from pyarrow import parquet as pq

from api.app import create_app
from api.cli import run
from api.config import Config
from api.export import Wanted, contact_lens, export, tables
from api.reading import Reading, read
from pipeline.archive import Archive
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.events import Prosody
from pipeline.graph import build
from pipeline.inputs import Mark
from pipeline.session import CallInfo
from pipeline.settings import Settings
from pipeline.timebase import Span
from pipeline.view import (
    AlertView,
    ChannelView,
    CueView,
    FaultView,
    GapView,
    LeakView,
    LineView,
    RegionView,
    ScoreView,
    StretchView,
    SuspectedView,
    View,
    WordView,
)
from tests.api.conftest import LocalClient, Served, calling, stop, upload, wav
from tests.api.readings import NAMES, TALK, empty, mono, of, sample, truth_of
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo
from tests.synth import Line
from tests.synth import build as synth

Json = dict[str, Any]


def _object(properties: Json, *optional: str) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _by(value: Json, *roles: str) -> Json:
    """An object with some of these keys."""
    return {"type": "object", "properties": dict.fromkeys(roles, value), "additionalProperties": False}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


MS = {"type": "integer", "minimum": 0}
SCORE = {"type": "number", "minimum": -5, "maximum": 5}
ROLES = ("AGENT", "CUSTOMER", "UNKNOWN")
OFFSETS = {"BeginOffsetMillis": MS, "EndOffsetMillis": MS}
INSTANCE = _object({**OFFSETS, "DurationMillis": MS})
SCHEMA = _object(
    {
        "ConversationCharacteristics": _object(
            {
                "TotalConversationDurationMillis": MS,
                "TalkTime": _object(
                    {"TotalTimeMillis": MS, "DetailsByParticipant": _by(_object({"TotalTimeMillis": MS}), *ROLES)}
                ),
                "NonTalkTime": _object({"TotalTimeMillis": MS, "Instances": _list(INSTANCE)}),
                "TalkSpeed": _object({"DetailsByParticipant": _by(_object({"AverageWordsPerMinute": MS}), *ROLES)}),
                "Interruptions": _object(
                    {
                        "InterruptionsByInterrupter": _by(_list(INSTANCE), "AGENT", "CUSTOMER"),
                        "TotalCount": MS,
                        "TotalTimeMillis": MS,
                    }
                ),
                "Sentiment": _object(
                    {
                        "OverallSentiment": _by(SCORE, "AGENT", "CUSTOMER"),
                        "SentimentByPeriod": _object(
                            {"QUARTER": _by(_list(_object({**OFFSETS, "Score": SCORE})), "AGENT", "CUSTOMER")}
                        ),
                    }
                ),
            },
            "TalkSpeed",
            "Interruptions",
            "Sentiment",
        ),
        "Participants": _list(_object({"ParticipantId": {"type": "string"}, "ParticipantRole": {"enum": list(ROLES)}})),
        "Categories": _object(
            {
                "MatchedCategories": _list({"type": "string", "pattern": r"^[0-9a-zA-Z._-]+$"}),
                "MatchedDetails": {
                    "type": "object",
                    "additionalProperties": _object({"PointsOfInterest": _list(_object(OFFSETS))}),
                },
            }
        ),
        "Transcript": _list(
            _object(
                {
                    "Id": {"type": "string", "minLength": 1},
                    "ParticipantId": {"type": "string"},
                    **OFFSETS,
                    "Content": {"type": "string"},
                    "Sentiment": {"enum": ["NEGATIVE", "NEUTRAL"]},
                    "LoudnessScore": _list({"type": ["number", "null"], "minimum": 0, "maximum": 100}),
                },
                "Sentiment",
            )
        ),
    },
    "Transcript",
)
"""The shape the market knows, by hand; UNKNOWN is ours, for the one speaker of a mono recording."""


def lens(reading: Reading) -> Json:
    """The document, as it is written, fitting the schema."""
    document: Json = json.loads(contact_lens.dump(reading))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def told(reading: Reading) -> Json:
    characteristics: Json = lens(reading)["ConversationCharacteristics"]
    return characteristics


def made(**values: Any) -> Reading:
    """A call of ten seconds with nothing in it but these fields of its view."""
    channels = {channel: ChannelView() for channel in TWO_CHANNEL}
    view = View(call_id="made", state="ended", now_ms=10_000, duration_s=10.0, channels=channels)
    for name, value in values.items():
        setattr(view, name, value)
    return Reading(empty().header, view)


# the shape of Contact Lens


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_those_of_the_view_and_of_the_truth(name: str) -> None:
    reading, truth = sample(name), truth_of(name)
    view, document = reading.view, told(sample(name))
    assert document["TotalConversationDurationMillis"] == pytest.approx(truth["duration_ms"], abs=40)
    talk = document["TalkTime"]
    for channel, party in view.channels.items():
        assert talk["DetailsByParticipant"][channel.upper()]["TotalTimeMillis"] == party.talk_ms
        spoken = sum(each["end_ms"] - each["begin_ms"] for each in truth["speech"][channel.value])
        assert party.talk_ms == pytest.approx(spoken, rel=0.05)
        speed = document["TalkSpeed"]["DetailsByParticipant"][channel.upper()]["AverageWordsPerMinute"]
        assert speed == round(cast(float, party.wpm)) == pytest.approx(truth["wpm"][channel.value], rel=0.05)
    assert talk["TotalTimeMillis"] == sum(party.talk_ms for party in view.channels.values())


@pytest.mark.parametrize("name", NAMES)
def test_silences_and_interruptions_are_those_of_the_truth(name: str) -> None:
    reading, truth = sample(name), truth_of(name)
    document = told(reading)
    idle = document["NonTalkTime"]
    assert [(each["BeginOffsetMillis"], each["EndOffsetMillis"]) for each in idle["Instances"]] == [
        (pytest.approx(each["begin_ms"], abs=500), pytest.approx(each["end_ms"], abs=500)) for each in truth["silences"]
    ]
    assert idle["TotalTimeMillis"] == sum(each["DurationMillis"] for each in idle["Instances"])
    assert idle["TotalTimeMillis"] == pytest.approx(reading.view.non_talk_ms, abs=2 * len(idle["Instances"]))
    cut_in = document["Interruptions"]
    for role, found in cut_in["InterruptionsByInterrupter"].items():
        known = [o for o in truth["overlaps"] if (o["kind"], o["interrupter"]) == ("interruption", role.lower())]
        assert [each["BeginOffsetMillis"] for each in found] == [pytest.approx(o["begin_ms"], abs=150) for o in known]
        party = reading.view.channels[Channel(role.lower())]
        assert (len(found), sum(each["DurationMillis"] for each in found)) == (
            party.interruptions,
            party.interrupted_ms,
        )
    assert cut_in["TotalCount"] == sum(map(len, cut_in["InterruptionsByInterrupter"].values()))


def test_the_dispute_has_its_worst_quarter_where_the_customer_is_angry() -> None:
    sentiment = told(sample("billing_dispute"))["Sentiment"]
    quarters = sentiment["SentimentByPeriod"]["QUARTER"]["CUSTOMER"]
    scores = [each["Score"] for each in quarters]
    assert len(scores) == 4
    assert scores[0] >= -0.6  # a voice as it always is has a little of both
    assert min(scores) == scores[2] < -1.5
    assert min(scores) <= sentiment["OverallSentiment"]["CUSTOMER"] <= max(scores)
    lines = [line for line in lens(sample("billing_dispute"))["Transcript"] if line["ParticipantId"] == "customer"]
    assert lines[0]["Sentiment"] == "NEUTRAL"
    assert "NEGATIVE" in {line["Sentiment"] for line in lines}
    calm = lens(sample("calm_order"))
    assert "NEGATIVE" not in {line.get("Sentiment") for line in calm["Transcript"]}


def test_the_alerts_and_cues_of_a_call_are_its_categories() -> None:
    reading = sample("billing_dispute")
    categories = lens(reading)["Categories"]
    names = {f"alert.{each.kind}" for each in reading.view.alerts} | {f"cue.{each.name}" for each in reading.view.cues}
    assert set(categories["MatchedCategories"]) == set(categories["MatchedDetails"]) == names
    assert {"alert.customer_anger", "cue.complaint"} <= names


def test_loudness_has_one_score_for_each_second_of_a_line() -> None:
    reading = sample("impatient_agent")
    for line in lens(reading)["Transcript"]:
        length = line["EndOffsetMillis"] - line["BeginOffsetMillis"]
        assert len(line["LoudnessScore"]) == -(-length // 1000)
        assert any(score is not None for score in line["LoudnessScore"])


def test_the_agents_tension_is_not_told_where_the_policy_has_none() -> None:
    document = lens(sample("impatient_agent", "eu-workplace"))
    sentiment = document["ConversationCharacteristics"]["Sentiment"]
    assert set(sentiment["OverallSentiment"]) == {"CUSTOMER"}
    assert set(sentiment["SentimentByPeriod"]["QUARTER"]) == {"CUSTOMER"}
    lines = {line["ParticipantId"]: line for line in document["Transcript"]}
    assert "Sentiment" not in lines["agent"]
    assert "LoudnessScore" in lines["agent"]
    assert "AGENT" in told(sample("impatient_agent"))["Sentiment"]["OverallSentiment"]


def test_a_policy_of_measures_alone_has_no_sentiment() -> None:
    document = lens(sample("impatient_agent", "measures-only"))
    assert set(document["ConversationCharacteristics"]) == {
        "TotalConversationDurationMillis",
        "TalkTime",
        "NonTalkTime",
        "TalkSpeed",
        "Interruptions",
    }
    assert not any("Sentiment" in line for line in document["Transcript"])


def test_a_mono_call_says_that_its_speaker_is_unknown() -> None:
    document = lens(mono())
    assert document["Participants"] == [{"ParticipantId": "unknown", "ParticipantRole": "UNKNOWN"}]
    told_of = document["ConversationCharacteristics"]
    assert set(told_of) == {"TotalConversationDurationMillis", "TalkTime", "NonTalkTime"}
    assert told_of["TalkTime"]["DetailsByParticipant"]["UNKNOWN"]["TotalTimeMillis"] > 5000


def test_a_call_that_was_dual_mono_for_a_while_has_an_unknown_speaker_too() -> None:
    line = LineView(n=7, channel=Channel.UNKNOWN, begin_ms=0, end_ms=900, text="hm", late=False, words=[])
    channels = {channel: ChannelView(talk_ms=900) for channel in Channel}
    document = lens(made(transcript=[line], channels=channels))
    assert {each["ParticipantRole"] for each in document["Participants"]} == {"AGENT", "CUSTOMER", "UNKNOWN"}
    assert document["Transcript"][0]["ParticipantId"] == "unknown"
    assert set(document["ConversationCharacteristics"]["Interruptions"]["InterruptionsByInterrupter"]) == {
        "AGENT",
        "CUSTOMER",
    }


def test_without_words_there_is_no_transcript() -> None:
    reading = made(unavailable={"words": "policy quiet"})
    assert "Transcript" not in lens(reading)
    assert lens(made())["Transcript"] == []


def test_a_call_in_which_nobody_speaks() -> None:
    document = told(empty())
    assert document["TalkTime"]["TotalTimeMillis"] == document["Interruptions"]["TotalCount"] == 0
    assert "Sentiment" not in document
    assert "TalkSpeed" not in document


def test_anger_is_weighted_by_time_and_only_where_it_is_known() -> None:
    """0.8 for one second, then 0.2 for four, known from 5 s on: 0.32."""
    reading = made()
    reading.view.scores.anger = [
        ScoreView(n=n, ms=at, value=value, coverage=1.0, parts={}) for n, at, value in ((1, 5000, 0.8), (2, 6000, 0.2))
    ]
    sentiment = told(reading)["Sentiment"]
    assert sentiment["OverallSentiment"] == {"CUSTOMER": -1.6}
    assert sentiment["SentimentByPeriod"]["QUARTER"]["CUSTOMER"] == [
        {"BeginOffsetMillis": 5000, "EndOffsetMillis": 7500, "Score": -2.2},
        {"BeginOffsetMillis": 7500, "EndOffsetMillis": 10000, "Score": -1.0},
    ]


@pytest.mark.parametrize(("value", "mood"), [(0.39, "NEUTRAL"), (0.4, "NEGATIVE"), (None, None)])
def test_a_line_is_negative_from_the_bound_of_advice_on(value: float | None, mood: str | None) -> None:
    line = LineView(n=7, channel=Channel.CUSTOMER, begin_ms=2000, end_ms=4000, text="hm", late=False, words=[])
    reading = made(transcript=[line])
    if value is not None:
        reading.view.scores.anger = [ScoreView(n=1, ms=1000, value=value, coverage=1.0, parts={})]
    assert lens(reading)["Transcript"][0].get("Sentiment") == mood


def voiced(*moves: float | None) -> list[Prosody]:
    """Blocks of half a second of the agent from 0 s on."""
    return [
        Prosody(
            span=Span(8000 * n, 8000 * (n + 1)),
            at=0,
            channel=Channel.AGENT,
            level=-30.0,
            level_move=move,
            f0=None,
            f0_move=None,
            f0_range=None,
            voiced=0.0,
            alpha_ratio=None,
            alpha_move=None,
            baseline_seconds=1.0,
        )
        for n, move in enumerate(moves)
    ]


def test_loudness_is_the_power_of_each_second_over_the_speakers_own() -> None:
    """50 at the baseline and 2.5 a dB: 4 dB is 60; 6 dB in one half and 0 in the other is a mean power of 3.96 dB."""
    line = LineView(n=7, channel=Channel.AGENT, begin_ms=0, end_ms=5500, text="hm", late=False, words=[])
    reading = made(transcript=[line])
    reading.prosody.extend(voiced(4.0, 4.0, 6.0, 0.0, None, None, 30.0, 30.0, -30.0, -30.0))
    assert lens(reading)["Transcript"][0]["LoudnessScore"] == [60.0, 59.9, None, 100.0, 0.0, None]
    line.channel = Channel.CUSTOMER
    assert set(lens(reading)["Transcript"][0]["LoudnessScore"]) == {None}


def region(kind: Any, begin: int, end: int, **more: Any) -> RegionView:
    return RegionView(kind=kind, channel=more.pop("channel", None), begin_ms=begin, end_ms=end, **more)


def test_hold_counts_once_and_what_was_redacted_does_not() -> None:
    reading = made(
        silences=[StretchView(begin_ms=1000, end_ms=5000), StretchView(begin_ms=6000, end_ms=9500)],
        regions=[region("hold", 4000, 5500), region("pause", 7000, 8000), region("music", 0, 1000)],
    )
    assert told(reading)["NonTalkTime"] == {
        "TotalTimeMillis": 7000,
        "Instances": [
            {"BeginOffsetMillis": 1000, "EndOffsetMillis": 5500, "DurationMillis": 4500},
            {"BeginOffsetMillis": 6000, "EndOffsetMillis": 7000, "DurationMillis": 1000},
            {"BeginOffsetMillis": 8000, "EndOffsetMillis": 9500, "DurationMillis": 1500},
        ],
    }


def test_non_talk_time_is_the_views_with_marks() -> None:
    pcm, _ = synth([Line("agent", 0.5, 2.0), Line("customer", 14.0, 2.0)], 20.0)
    marks = [
        (4.0, Mark(kind="hold")),
        (9.0, Mark(kind="resume")),
        (10.0, Mark(kind="pause")),
        (12.0, Mark(kind="resume")),
    ]
    reading = of(pcm, CallInfo(call_id="held", channels=TWO_CHANNEL), marks)
    document = told(reading)["NonTalkTime"]
    assert document["TotalTimeMillis"] > 5000
    assert document["TotalTimeMillis"] == pytest.approx(reading.view.non_talk_ms, abs=5)


def alert(n: int, raised: int, cleared: int | None, because: str | None, kind: str = "talk_over") -> AlertView:
    return AlertView(
        n=n,
        kind=kind,
        state="raised" if cleared is None else "cleared",
        severity="coach",
        raised_ms=raised,
        cleared_ms=cleared,
        advice="Let them finish",
        detail="",
        practice=1,
        reason="cut in",
        cleared_because=because,
        evidence=[3, 5],
    )


def test_an_alert_that_was_revised_counts_nowhere() -> None:
    alerts = [alert(1, 1000, 2000, "revised"), alert(2, 3000, 99_000, "call ended"), alert(3, 8000, None, None)]
    categories = lens(made(alerts=alerts))["Categories"]
    assert categories["MatchedDetails"] == {
        "alert.talk_over": {
            "PointsOfInterest": [
                {"BeginOffsetMillis": 3000, "EndOffsetMillis": 10_000},
                {"BeginOffsetMillis": 8000, "EndOffsetMillis": 10_000},
            ]
        }
    }
    assert lens(made(alerts=alerts[:1]))["Categories"]["MatchedCategories"] == []


# tables


def rows(reading: Reading, table: str | None = None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(tables.csv(reading, table).decode())))


FULL = {
    "warnings": ["it ends before its header says"],
    "leaks": [LeakView(channel=Channel.AGENT, begin_ms=5, delay_ms=120, gain_db=-20.0, state="removed")],
    "suspected": [SuspectedView(n=4, ms=7, kind="swapped_roles", confidence=0.9, because="the customer greets")],
    "gaps": [GapView(channel=Channel.AGENT, begin_ms=1, end_ms=2, reason="lost")],
    "faults": [FaultView(ms=9, part="recogniser", message="out of memory", fatal=False)],
    "regions": [region("hold", 1, 2)],
    "silences": [StretchView(begin_ms=1, end_ms=4000)],
    "cues": [CueView(n=1, channel=Channel.CUSTOMER, name="threat", phrase="my lawyer", begin_ms=1, end_ms=2)],
    "alerts": [alert(2, 3000, 4000, "over")],
    "unavailable": {"tension": "policy x"},
}


def full() -> Reading:
    """Every table has a row: a sample call and what it lacks."""
    reading = sample("billing_dispute")
    view = View(**{each.name: getattr(reading.view, each.name) for each in fields(View)})
    for name, value in FULL.items():
        setattr(view, name, value)
    return replace(reading, view=view)


def test_every_table_has_its_rows_and_known_columns() -> None:
    reading = full()
    for name, table in tables.TABLES.items():
        found = list(table(reading))
        assert found, name
        assert {column for row in found for column in row} <= set(tables.COLUMNS), name


def test_every_list_of_a_view_is_a_table() -> None:
    listed = {each.name for each in fields(View) if str(each.type).startswith(("list[", "dict[Channel, list"))}
    assert listed <= set(tables.TABLES)


def test_a_spreadsheet_has_what_happened_in_its_order() -> None:
    found = rows(full())
    assert {row["table"] for row in found} == set(tables.HAPPENINGS)
    times = [int(row["begin_ms"]) for row in found]
    assert times == sorted(times)
    assert {row["call_id"] for row in found} == {"billing_dispute"}
    (told_alert,) = [row for row in found if row["table"] == "alerts"]
    assert (told_alert["time"], told_alert["text"], told_alert["evidence"]) == ("0:00:03", "Let them finish", "3 5")


def test_one_table_has_its_own_columns_only() -> None:
    reading = sample("billing_dispute")
    found = rows(reading, "overlaps")
    assert list(found[0]) == ["time", "call_id", "table", "n", "begin_ms", "end_ms", "kind", "interrupter", "cut"]
    assert len(found) == len(reading.view.overlaps)
    assert {row["cut"] for row in found} <= {"true", "false"}
    scores = rows(reading, "scores")
    assert len(scores) == len(reading.view.scores.anger) + len(reading.view.scores.tension)
    assert "pitch" in json.loads(scores[-1]["parts"])
    assert len(rows(reading, "words")) == sum(len(line.words) for line in reading.view.transcript)
    assert len(rows(reading, "speech")) == len(reading.speech)


def test_a_table_without_rows_has_a_header() -> None:
    assert tables.csv(empty(), "alerts") == b"time,call_id,table\n"


def test_what_is_not_measured_is_empty_and_not_nought() -> None:
    (row,) = rows(mono(), "parties")
    assert (row["channel"], row["interruptions"], row["wpm"]) == ("unknown", "", "")
    (row, _) = rows(made(unavailable={"words": "policy quiet"}), "parties")
    assert (row["words"], row["interruptions"]) == ("", "0")


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n\n=1"])
def test_no_text_becomes_a_formula(text: str) -> None:
    line = LineView(n=7, channel=Channel.CUSTOMER, begin_ms=0, end_ms=9, text=text, late=False, words=[])
    line.words.append(WordView(begin_ms=0, end_ms=9, text=text, probability=0.5))
    found = rows(made(transcript=[line], unavailable={"words": text}), "all")
    cells = [cell for row in found for cell in row.values() if cell.endswith(text.strip())]
    assert len(cells) == 3
    assert all(cell.startswith("'") for cell in cells)


def test_a_number_below_nought_stays_a_number() -> None:
    assert min(float(row["level_db"]) for row in rows(sample("calm_order"), "prosody") if row["level_db"]) < 0


def test_parquet_has_every_table_with_proper_types() -> None:
    reading = full()
    table = pq.read_table(io.BytesIO(tables.parquet(reading)))
    assert table.column_names == list(tables.COLUMNS)
    assert set(table["table"].to_pylist()) == set(tables.TABLES)
    typed = ("begin_ms", "wpm", "cut", "text", "evidence", "parts")
    types = {name: str(table.schema.field(name).type).replace(" ('parts')", "") for name in typed}
    assert types == {
        "begin_ms": "int64",
        "wpm": "double",
        "cut": "bool",
        "text": "string",
        "evidence": "list<element: int64>",
        "parts": "map<string, double>",
    }
    found = table.to_pylist()
    assert len(found) == len(rows(reading, "all"))
    anger = [row for row in found if row["table"] == "scores" and row["kind"] == "anger"]
    assert [row["value"] for row in anger] == [point.value for point in reading.view.scores.anger]
    assert dict(anger[-1]["parts"]) == reading.view.scores.anger[-1].parts


def test_files_of_all_calls_are_one_data_set(tmp_path: Path) -> None:
    for reading in (empty(), mono(), full()):
        (tmp_path / f"{reading.call_id}.parquet").write_bytes(tables.parquet(reading))
    assert set(pq.read_table(tmp_path)["call_id"].to_pylist()) == {"empty", "mono", "billing_dispute"}


@pytest.mark.parametrize("wanted", [Wanted("csv", "none"), Wanted("parquet", "turns"), Wanted("contact-lens", "turns")])
def test_a_table_that_cannot_be_had_is_refused(wanted: Wanted) -> None:
    with pytest.raises(BadInput, match="table"):
        export(empty(), wanted)


# the command


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Two stored calls, ``one`` that ended and ``cut``, whose writer was killed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "stored"))
    archive, engines = Archive(tmp_path / "stored", 1.0), fake_engines(FakeTranscriber([]))
    for call_id in ("one", "cut"):
        session = build(CallInfo(call_id=call_id, channels=TWO_CHANNEL), Settings(), engines)
        call = archive.record(session, Settings(), engines.identities)
        call.advance(session.silence())
        call.close("test")
        call.end()
    journal = archive.folder("cut").journal
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    return archive


def test_the_command_writes_to_stdout(stored: Archive, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["export", "one"]) == 0
    captured = capfdbinary.readouterr()
    jsonschema.validate(json.loads(captured.out), SCHEMA)
    assert captured.err == b""
    assert run(["export", str(stored.folder("one").path), "--format", "csv", "--table", "call"]) == 0
    assert b"one,call," in capfdbinary.readouterr().out


def test_parquet_goes_to_a_file_of_the_calls_name(stored: Archive, tmp_path: Path) -> None:
    assert run(["export", "one", "--format", "parquet"]) == 0
    assert pq.read_table(tmp_path / "one.parquet").num_rows >= 3
    assert not list(tmp_path.glob(".one*"))


def test_no_file_is_overwritten_unasked(stored: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.csv").write_text("mine")
    assert run(["export", "one", "-f", "csv", "-o", "x.csv"]) == 2
    assert capsys.readouterr().err == "calmline: x.csv exists already; --force overwrites it\n"
    assert (tmp_path / "x.csv").read_text() == "mine"
    assert run(["export", "one", "-f", "csv", "-o", "x.csv", "--force"]) == 0
    assert (tmp_path / "x.csv").read_text().startswith("time,call_id")


def test_a_terminal_gets_no_bytes(
    stored: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["export", "one", "-f", "parquet", "-o", "-"]) == 2
    assert "name a file with -o" in capsys.readouterr().err


def test_a_call_that_was_cut_off_is_exported_as_far_as_it_goes(
    stored: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "cut", "-o", "cut.json"]) == 0
    assert "exported as far as it goes" in capsys.readouterr().err
    reading = read(stored.folder("cut"))
    assert rows(reading, "call")[0]["state"] == "interrupted"
    lens(reading)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "no stored call none"),
        ([".", "-f", "csv"], "holds no journal.jsonl"),
        (["one", "-f", "xml"], "Invalid value for '--format'"),
        (["one", "-f", "csv", "--table", "x"], "there is no table x; choose one of call, parties"),
        (["one", "--table", "turns"], "a table is chosen of a csv only"),
        (["one", "-o", "no/such/file"], "there is no folder no/such to write file to"),
        (["one", "-o", "."], ". is a folder"),
    ],
)
def test_what_is_wrong_costs_one_line(
    arguments: list[str], said: str, stored: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert said in line


def test_a_damaged_journal_is_named(stored: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    journal = stored.folder("one").journal
    head, *lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([head, "no json\n", *lines[1:]]))
    assert run(["export", "one"]) == 2
    assert "line 1 is damaged" in capsys.readouterr().err
    reference = {"type": "overlap_revised", "span": {"start": 0, "end": 9}, "at": 9, "of": 77, "kind": "overlap"}
    event = json.dumps({"n": 1, "at": 0, "ev": {**reference, "interrupter": None, "cut": False, "because": "ended"}})
    journal.write_text(head + event + "\n")
    assert run(["export", "one"]) == 2
    assert "line 1 refers to a line that is not there (77)" in capsys.readouterr().err


# the route


def brought(client: LocalClient, call_id: str = "c1", pcm: np.ndarray[Any, Any] = TALK) -> None:
    assert upload(client, wav(pcm), call_id=call_id).status_code == 202
    with client.websocket_connect(f"/live/{call_id}") as socket:
        while socket.receive_json()["event"]["type"] != "call_ended":
            pass


@pytest.mark.parametrize(
    ("query", "media", "name"),
    [
        ("", "application/json", "c1.json"),
        ("?format=contact-lens", "application/json", "c1.json"),
        ("?format=csv", "text/csv; charset=utf-8", "c1.csv"),
        ("?format=csv&table=all", "text/csv; charset=utf-8", "c1.csv"),
        ("?format=parquet", "application/vnd.apache.parquet", "c1.parquet"),
    ],
)
def test_a_call_is_downloaded(client: LocalClient, query: str, media: str, name: str) -> None:
    brought(client)
    answer = client.get(f"/calls/c1/export{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    if name.endswith("json"):
        jsonschema.validate(answer.json(), SCHEMA)
        assert len(answer.json()["Transcript"]) == 2
    elif name.endswith("csv"):
        assert answer.text.startswith("time,call_id,table,")
    else:
        assert "turns" in pq.read_table(io.BytesIO(answer.content))["table"].to_pylist()


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=csv&table=none", "format=parquet&table=turns"])
def test_what_cannot_be_exported_is_refused(client: LocalClient, query: str) -> None:
    brought(client)
    assert client.get(f"/calls/c1/export?{query}").status_code == 400
    assert client.get("/calls/none/export").status_code == 404


def test_a_call_in_progress_has_no_export(server: Served) -> None:
    with calling(server, "c1") as socket:
        answer = server.http.get("/calls/c1/export")
        assert answer.status_code == 409
        told = "call c1 is in progress or being derived again; it can be exported once that is over"
        assert answer.json()["detail"] == told
        stop(socket)
    assert server.http.get("/calls/c1/export").status_code == 200


def test_an_upload_being_analysed_has_no_export(configured: Callable[..., Config]) -> None:
    fake = FakeTranscriber(gate=Event())
    with LocalClient(create_app(configured(), fake_engines(fake))) as client:
        long = stereo([speech(2), silence(10)], [silence(12)])
        assert upload(client, wav(long), call_id="slow").status_code == 202
        assert client.get("/calls/slow/export").status_code == 409
        cast(Event, fake.gate).set()


def test_agents_export_their_own_calls_only(configured: Callable[..., Config]) -> None:
    config = configured(
        supervisor_tokens={"mara": "m" * 32},
        agent_tokens={"bob": "b" * 32, "eve": "e" * 32},
        door_tokens={"pbx": "d" * 32},
    )
    with LocalClient(create_app(config, fake_engines())) as client:
        as_ = lambda token: {"Authorization": f"Bearer {token * 32}"}  # noqa: E731
        files, data = [("file", ("a.wav", wav(TALK)))], {"call_id": "c1", "agent_id": "bob"}
        assert client.post("/calls", files=files, data=data, headers=as_("m")).status_code == 202
        while client.get("/calls/c1", headers=as_("m")).json()["state"] != "ended":
            pass
        answers = {who: client.get("/calls/c1/export", headers=as_(who)).status_code for who in "mbed"}
        assert answers == {"m": 200, "b": 200, "e": 404, "d": 403}
        assert client.get("/calls/c1/export").status_code == 401
