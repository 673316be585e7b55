"""The report after a call, as files and over HTTP: forms, masks, who sees what, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.app import create_app
from api.cli import run
from api.config import Config
from pipeline.events import Region
from pipeline.graph import Engines
from pipeline.report import REPORT
from tests.api.conftest import LocalClient, Served, calling, stop
from tests.pipeline.story import AGENT, CUSTOMER, Story, dispute

TOKENS = {
    "supervisor_tokens": {"sue": "s-token"},
    "agent_tokens": {"ada": "ada-token", "bob": "bob-token"},
    "door_tokens": {"pbx": "door-token"},
}


def as_(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def swearing() -> Story:
    story = Story("rude", source="<script>alert(1)</script>")
    story.say(CUSTOMER, 5, "This <b>shit</b> & that.", "complaint")
    story.say(AGENT, 9, "Well.")
    return story


@pytest.fixture
def calls(calls_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dispute (c), three calls of the same agent before it, and a rude one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(calls_folder))
    dispute().store(calls_folder)
    for hour in (9, 10, 11):
        dispute(f"at-{hour}", started=f"2026-01-02T{hour:02}:00:00+00:00").store(calls_folder)
    dispute("later", started="2026-01-03T09:00:00+00:00").store(calls_folder)
    dispute("bobs", started="2026-01-02T11:30:00+00:00", agent_id="bob").store(calls_folder)
    swearing().store(calls_folder)
    return calls_folder


@pytest.fixture
def guarded(calls: Path, configured: Callable[..., Config], engines: Engines) -> Iterator[LocalClient]:
    with LocalClient(create_app(configured(**TOKENS), engines)) as client:
        yield client


class Page(HTMLParser):
    """What is in a page; fails on a tag that is closed and was not opened."""

    VOID = {"meta", "line", "circle", "polyline", "path"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [name for name, _ in attributes if name in ("src", "href") or name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


# the command


def test_markdown_tells_the_call_on_a_page(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex"]) == 0
    capsys.readouterr()
    assert run(["report", "c"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Call c\n\n2026-01-02 12:00 · 01:00 · agent ada · policy standard\n")
    assert "**00:06** The agent spoke over the customer for 1.4 s, and the customer stopped" in text
    assert "| 00:09 | Do it | why | it was over, 00:18 |" in text
    assert "    - seen: **00:10** the agent said “I am sorry about that.”" in text
    assert "| longest turn | 2.0 s | - | 2.0 s (3 calls) |" in text
    assert "For you alone" not in text
    assert len(text.splitlines()) < 100


def test_json_is_the_report_itself(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "c", "--format", "json", "--mine"]) == 0
    made = REPORT.validate_json(capsys.readouterr().out)
    assert (made.call_id, len(made.moments), len(made.practices)) == ("c", 3, 27)
    assert made.own


def test_html_is_one_file_that_runs_and_loads_nothing(calls: Path, tmp_path: Path) -> None:
    target = tmp_path / "call.html"
    assert run(["report", "c", "--format", "html", "--out", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.loads == []
    assert {"svg", "polyline", "table"} <= page.tags
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text
    assert text.count("<circle") == 3


def test_every_sentence_of_the_page_has_its_evidence(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "c", "-f", "html", "--mine"]) == 0
    text = capsys.readouterr().out
    sentences = re.findall(r"<(?:li|dd)>(.*?)</(?:li|dd)>", text)
    assert len(sentences) > 10
    assert all(re.search(r'<span class="refs">#\d', each) for each in sentences)


@pytest.mark.parametrize("form", ["md", "html"])
def test_what_was_said_is_escaped_and_masked(calls: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "rude", "-f", form]) == 0
    text = capsys.readouterr().out
    assert "shit" not in text
    assert "s***" in text.replace("\\", "")
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "<script>" not in text


def test_json_for_programs_has_the_words_as_they_were_said(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "rude", "-f", "json"]) == 0
    assert "<b>shit</b>" in capsys.readouterr().out


def test_a_call_by_the_path_of_its_folder(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(calls / "c")]) == 0
    assert "# Call c" in capsys.readouterr().out


def test_an_unknown_call_and_one_without_an_end(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispute("torn").store(calls, end=None)
    assert run(["report", "none"]) == 2
    assert "no stored call none" in capsys.readouterr().err
    assert run(["report", "torn"]) != 0
    assert "call torn has no end yet" in capsys.readouterr().err


def test_a_file_is_not_overwritten_unasked(calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "r.md"
    target.write_text("mine")
    assert run(["report", "c", "--out", str(target)]) == 2
    assert target.read_text() == "mine"
    assert run(["report", "c", "--out", str(target), "--force"]) == 0
    assert target.read_text().startswith("# Call c")


def test_a_damaged_journal_is_told_with_its_line(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = calls / "c" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], "{}\n", *lines[3:]]))
    assert run(["report", "c"]) == 2
    assert "journal.jsonl, line 3 is damaged" in capsys.readouterr().err


def test_an_earlier_call_that_cannot_be_read_is_left_out(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex"]) == 0
    (calls / "at-9" / "journal.jsonl").write_text("{}\n")
    assert run(["report", "c", "-f", "json"]) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {measure["usual"] for measure in made["measures"]} == {None}


# the route


@pytest.mark.parametrize(
    ("form", "media"),
    [("json", "application/json"), ("md", "text/markdown; charset=utf-8"), ("html", "text/html; charset=utf-8")],
)
def test_each_form_over_http(guarded: LocalClient, form: str, media: str) -> None:
    answer = guarded.get(f"/calls/c/report?format={form}", headers=as_("s-token"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert "I am sorry about that." in answer.text


def test_each_number_on_the_page_opens_its_event(guarded: LocalClient) -> None:
    page = guarded.get("/calls/c/report?format=html", headers=as_("s-token")).text
    links = re.findall(r'<a href="events\?after=(\d+)&amp;limit=1" title="event (\d+) of the journal">#(\d+)</a>', page)
    assert len(links) > 10
    for after, named, shown in links[:5]:
        found = guarded.get(f"/calls/c/events?after={after}&limit=1", headers=as_("s-token")).json()["events"]
        assert [str(each["n"]) for each in found] == [named] == [shown]


def test_the_page_may_run_nothing(guarded: LocalClient) -> None:
    answer = guarded.get("/calls/c/report?format=html", headers=as_("s-token"))
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]


def test_load_is_shown_to_the_agent_and_to_nobody_else(guarded: LocalClient) -> None:
    own = guarded.get("/calls/c/report", headers=as_("ada-token")).json()["own"]
    assert own[0]["text"].startswith("4 hard calls in a row (c, at-11, at-10, at-9)")
    assert guarded.get("/calls/c/report", headers=as_("s-token")).json()["own"] == []


def test_another_agent_sees_no_such_call(guarded: LocalClient) -> None:
    assert guarded.get("/calls/c/report", headers=as_("bob-token")).status_code == 404
    assert guarded.get("/calls/c/report", headers=as_("door-token")).status_code == 403
    assert guarded.get("/calls/c/report").status_code == 401


def test_usual_is_of_the_agents_own_earlier_calls(guarded: LocalClient) -> None:
    measures = guarded.get("/calls/c/report", headers=as_("s-token")).json()["measures"]
    assert {measure["calls"] for measure in measures} == {3}
    bobs = guarded.get("/calls/bobs/report", headers=as_("s-token")).json()["measures"]
    assert {(measure["calls"], measure["usual"]) for measure in bobs} == {(0, None)}


def test_words_are_masked_over_http_as_on_the_pages(guarded: LocalClient) -> None:
    for form in ("json", "md", "html"):
        assert "shit" not in guarded.get(f"/calls/rude/report?format={form}", headers=as_("s-token")).text


def test_what_cannot_be_had_is_refused(guarded: LocalClient) -> None:
    assert guarded.get("/calls/none/report", headers=as_("s-token")).status_code == 404
    assert guarded.get("/calls/c/report?format=pdf", headers=as_("s-token")).status_code == 400


def test_a_call_in_progress_has_no_report(server: Served) -> None:
    with calling(server, "c1") as socket:
        answer = server.http.get("/calls/c1/report")
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("call c1 is in progress or being derived again")
        stop(socket)
    assert server.http.get("/calls/c1/report").status_code == 200


def test_a_chat_has_a_report_without_curves(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = dict.fromkeys(("anger", "tension", "talk_over"), "a written conversation has no voice")
    story = Story("chat", attribution="written", unavailable=missing)
    story.say(CUSTOMER, 5, "I will cancel.", "threat")
    story.say(AGENT, 9, "I can change that.", "can_do")
    story.store(calls)
    assert run(["report", "chat", "-f", "html"]) == 0
    text = capsys.readouterr().out
    assert "polyline" not in Page(text).tags
    assert "no anger: a written conversation has no voice" in text
    assert "I will cancel." in text
    assert "Not measured: it is seen by the customer&#x27;s anger." in text


def test_what_a_busy_server_left_out_is_told(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story("busy")
    story.say(CUSTOMER, 5, "I will cancel.", "threat")
    opened = story.add(Region, 10, kind="busy", channel=None, open=True)
    story.add(Region, 10, 22, kind="busy", channel=None, open=False, of=opened)
    story.store(calls)
    assert run(["report", "busy"]) == 0
    assert "no score for 12 s: not measured, the server was busy" in capsys.readouterr().out
