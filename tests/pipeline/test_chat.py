"""A chat as a call without sound: what a transcript may hold, what a bad line is told, what comes of a good one."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.events import Alert, CallEnded, CallStarted, Cue, Words
from pipeline.graph import build
from pipeline.inputs import ChatLine, Close, Frame
from pipeline.replay import Recorder
from pipeline.session import TAIL, CallInfo, Session
from pipeline.settings import POLICIES, Measures, Settings
from pipeline.sources.chat import LONGEST_TEXT, is_chat, open_chat
from pipeline.timebase import RATE, TICK, Span
from tests.pipeline.drive import STANDARD, engines, events

INFO = CallInfo(call_id="chat", channels=TWO_CHANNEL, attribution="written", source="chat.jsonl")
HELLO = {"role": "agent", "time": 5, "text": "hello"}
UPSET = [
    (0.0, "agent", "Hello, how can I help?"),
    (20.0, "customer", "This is the third time I am writing."),
    (60.0, "customer", "I want to speak to your supervisor, now."),
]


def chat(tmp_path, *lines, name="chat.jsonl"):
    """Objects become JSON, text stays as it is."""
    path = tmp_path / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def written(tmp_path, lines=UPSET):
    rows = [{"time": time, "role": role, "text": text} for time, role, text in lines]
    return open_chat(chat(tmp_path, *rows))


def analysed(source, settings=STANDARD):
    """Everything that comes out, by hand: what the recorded driver must agree with."""
    session, entries = build(INFO, settings, engines()), []
    for item in source.frames():
        if isinstance(item, Frame):
            entries += session.step(item).entries
        else:
            session.admit(item)
    session.admit(Close(end=source.heard, reason="end of chat"))
    for _ in range(TAIL):
        entries += session.step(session.silence()).entries
    return entries + session.end().entries


def problem(path):
    with pytest.raises(BadInput) as error:
        open_chat(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path))


def test_a_chat_is_known_by_its_name(tmp_path):
    assert is_chat(tmp_path / "a.jsonl")
    assert is_chat(tmp_path / "A.CSV")
    assert not is_chat(tmp_path / "a.wav")


def test_it_begins_with_its_first_line_and_frames_have_no_gap(tmp_path):
    source = written(
        tmp_path, [(100.0, "agent", "one"), (100.0, "customer", "two"), (101.5, "Customer", "  three\n four")]
    )
    assert [(at, line.channel, line.text) for at, line in source.lines] == [
        (0, Channel.AGENT, "one"),
        (0, Channel.CUSTOMER, "two"),
        (24_000, Channel.CUSTOMER, "three four"),
    ]
    items = list(source.frames())
    frames = [item for item in items if isinstance(item, Frame)]
    assert all(after.start == before.end for before, after in pairwise(frames))
    assert source.heard == frames[-1].end == 24_576
    assert isinstance(items[-2], ChatLine)
    assert not any(frame.pcm.any() for frame in frames)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (12, 13.5),
        ("12", "13.5"),
        ("0:59:59", "1:00:00.5"),
        ("14:00:00,0", "14:00:01,5"),
        ("2026-03-01T14:00:00Z", "2026-03-01T15:00:01.5+01:00"),
        ("2026-03-01 14:00:00", "2026-03-01 14:00:01.500"),
    ],
)
def test_a_time_may_be_written_in_several_ways(tmp_path, first, second):
    path = chat(tmp_path, HELLO | {"time": first}, HELLO | {"time": second})
    assert open_chat(path).lines[1][0] == 24_000


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_has_its_columns_in_any_order(tmp_path, mark):
    head = mark.join(("Text", "id", "ROLE", "time"))
    quoted = mark.join(('"well, so; it\nis"', "7", "customer", "3"))
    path = chat(tmp_path, head, mark.join(("hello", "6", "agent", "1")), quoted, name="chat.csv")
    assert [(at, line.text) for at, line in open_chat(path).lines] == [(0, "hello"), (2 * RATE, "well, so; it is")]


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path):
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(HELLO).encode() + b"\r\n\r\n")
    assert len(open_chat(path).lines) == 1


def test_what_nobody_typed_is_taken_out(tmp_path):
    path = chat(tmp_path, HELLO | {"text": "red \x1b[31m and \ud800 half \U0001f600"})
    assert open_chat(path).lines[0][1].text == "red [31m and half \U0001f600"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("7", "is 7; write"),
        ({"role": "agent", "text": "x"}, "has no time; each line needs role, time and text"),
        ({"role": None, "time": 6, "text": "x"}, "has no role"),
        (HELLO | {"role": "bot"}, 'role "bot" is neither agent nor customer; rename it, or leave such lines out'),
        (HELLO | {"role": "unknown"}, 'role "unknown" is neither agent nor customer'),
        (HELLO | {"text": 7}, "text 7 is no text"),
        (HELLO | {"text": " \n"}, "text is empty; leave the line out"),
        (HELLO | {"text": "x" * (LONGEST_TEXT + 1)}, "more than 20000; cut what nobody typed"),
        (HELLO | {"time": "14:03"}, 'time "14:03" is none; give seconds (12.5), H:MM:SS or ISO 8601'),
        (HELLO | {"time": "noon"}, 'time "noon" is none'),
        (HELLO | {"time": True}, "time true is none"),
        (HELLO | {"time": [6]}, "time [6] is none"),
        (HELLO | {"time": "inf"}, 'time "inf" is none'),
        (HELLO | {"time": "0:00:06"}, "time is H:MM:SS, the line before has seconds; write all times alike"),
        (HELLO | {"time": 4.5}, "time lies 0.5 s before that of the line above; sort the lines by time"),
        (HELLO | {"time": 90_005}, "comes 25.0 h after the first one, more than 24; split the file"),
    ],
)
def test_a_bad_line_is_named_with_what_to_do(tmp_path, line, told):
    text = problem(chat(tmp_path, HELLO, "", line))
    assert text.startswith(", line 3: ")
    assert told in text


def test_zones_may_not_come_and_go(tmp_path):
    path = chat(tmp_path, HELLO | {"time": "2026-03-01T14:00:00"}, HELLO | {"time": "2026-03-01T14:00:00Z"})
    assert (
        problem(path) == ", line 2: time is ISO 8601 with a zone, the line before has ISO 8601; write all times alike"
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["who,time,text", "agent,1,x"], ", line 1: names no column role; it must name the columns: role,time,text"),
        (["role,time,text", "agent,1"], ", line 2: has no text"),
        (["role,time,text", 'agent,1,"x'], ", line 2: is no CSV"),
        ([], ": holds no lines"),
    ],
)
def test_bad_csv_is_named(tmp_path, lines, told):
    assert problem(chat(tmp_path, *lines, name="chat.csv")).startswith(told)


def test_a_file_that_is_no_text_or_is_not_there_is_named(tmp_path):
    path = tmp_path / "chat.jsonl"
    assert problem(path) == ": No such file or directory"
    path.write_bytes('{"role": "agent", "time": 0, "text": "grün"}'.encode("latin-1"))
    assert "iconv" in problem(path)
    path.write_text("\n")
    assert problem(path) == ": holds no lines; each needs role, time and text"


def test_lines_become_words_where_they_were_sent(tmp_path):
    entries = analysed(written(tmp_path))
    words = events(entries, Words)
    assert [(each.channel.value, each.text) for each in words] == [(role, text) for _, role, text in UPSET]
    assert [each.span for each in words] == [Span(time, time) for time in (0, 20 * RATE, 60 * RATE)]
    assert all(word.span == each.span for each in words for word in each.words)
    assert [each.utterance for each in words] == [1, 2, 3]
    assert events(entries, CallEnded)[0].span.end == 60 * RATE + TICK


def test_cues_and_advice_come_as_from_a_call(tmp_path):
    entries = analysed(written(tmp_path))
    found = {cue.name: cue for cue in events(entries, Cue)}
    assert {"repeat_contact", "supervisor_request"} <= set(found)
    assert found["supervisor_request"].span == Span(60 * RATE, 60 * RATE)
    raised = [alert for alert in events(entries, Alert) if alert.state == "raised"]
    assert "supervisor_request" in [alert.kind for alert in raised]
    assert all(alert.at <= 60 * RATE + TICK for alert in raised)


def test_a_calm_chat_gives_no_advice(tmp_path):
    lines = [(0.0, "agent", "Good morning."), (9.0, "customer", "Which size is left?"), (400.0, "agent", "The large.")]
    assert events(analysed(written(tmp_path, lines)), Alert) == []


def test_nothing_that_needs_a_voice_is_claimed(tmp_path):
    entries = analysed(written(tmp_path))
    started = events(entries, CallStarted)[0]
    assert started.attribution == "written"
    assert set(started.unavailable) == {"talk_over", "anger", "tension"}
    assert {entry.item.type for entry in entries} == {
        *("chat_line", "close", "call_started", "words", "cue", "alert", "call_ended")
    }


def test_what_came_before_does_not_depend_on_what_comes_after(tmp_path):
    whole, part = analysed(written(tmp_path)), analysed(written(tmp_path, UPSET[:2]))
    until = 20 * RATE + TICK
    assert [each for each in whole if each.at < until] == [each for each in part if each.at < until]


def test_the_recorded_driver_steps_it(tmp_path):
    source = written(tmp_path)
    session: Session = build(INFO, STANDARD, engines())
    view = Recorder(Call(session), None, 1.0).run(source.frames(), lambda: source.heard, "end of chat")
    assert [line.text for line in view.transcript] == [text for _, _, text in UPSET]
    assert (view.state, view.attribution, view.duration_s) == ("ended", "written", 60.032)
    assert view.channels[Channel.CUSTOMER].words == 16
    assert view.channels[Channel.CUSTOMER].wpm is None


def test_a_policy_without_words_takes_no_chat():
    settings = Settings(policy=POLICIES["standard"].model_copy(update={"words": False}))
    with pytest.raises(BadInput, match=r"chat\.jsonl: .* policy standard keeps no words"):
        build(replace(INFO), settings, engines())


def test_a_chat_where_words_are_switched_off_is_told_by_which_setting():
    settings = Settings(policy=POLICIES["standard"], measures=Measures(words=False))
    with pytest.raises(BadInput, match=r"chat\.jsonl: .* measures\.words is off"):
        build(replace(INFO), settings, engines())
