"""Cues in what was said: the language of phrases, likeness of sound, meaning, files of a deployment, the node."""

import re
from pathlib import Path

import pytest

from models import sentences
from pipeline.channel import Channel
from pipeline.cuebook import CueBook, Source, book, load_cues
from pipeline.cues import Finder
from pipeline.errors import BadInput
from pipeline.phonetic import key
from pipeline.phrases import compiled, line_of
from pipeline.playbook import load_playbook
from pipeline.settings import Cues
from pipeline.tokens import tokens

A, C = Channel.AGENT, Channel.CUSTOMER


def written(body: str, name: str = "ours.toml") -> CueBook:
    return book([Source(name, body)])


def cue(phrases: str, more: str = "") -> CueBook:
    return written(f'[[cue]]\nname = "x"\nrole = "customer"\nphrases = {phrases}\n{more}')


def names(cues: CueBook, text: str, role: Channel = C, settings: Cues = Cues()) -> list[str]:  # noqa: B008
    return [found.name for found in Finder(cues, settings).find(role, text.split())]


def shipped(text: str, role: Channel = C) -> set[str]:
    return {found.name for found in load_playbook().finder.find(role, text.split())}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("I can't, I'm sorry.", "i can not i am sorry ."),
        ("cannot dont wanna", "can not do not want to ."),
        ("Um, I I want it.", "i want it ."),
        ("Is it? It's Dana's.", "is it ? it is @dana's ."),
        ("Well... you know", "well you know ."),
        ("the 3rd time, 24 hours", "the third time 24 hours ."),
        ("Mr. Stone and Dr. Hale", "mr @stone and @dr @hale ."),
        ("", ""),
    ],
)
def test_what_was_said_is_spelt_in_one_way(text: str, plain: str) -> None:
    assert " ".join(token.shown for token in tokens(text.split())) == plain


@pytest.mark.parametrize(
    ("phrase", "yes", "no"),
    [
        ("cancel|close my account", "I close my account", "I close your account"),
        ("want to? leave", "want leave", "want and leave"),
        ("told * times", "told you all three times", "told you and him and them all times"),
        ("either ... or", "either the red one you had or none", "either way. Or not"),
        ("within # hours", "within 24 hours", "within hours"),
        ("within # hours", "within two or three hours", "within my hours"),
        ("my name is _", "my name is zed", "my name is"),
        ("this is @", "and this is Dana", "this is ridiculous"),
        ("^thanks", "Right. Thanks", "no thanks"),
        ("thanks $", "no, thanks", "thanks for that"),
        ("is that right ?", "So is that right?", "is that right"),
        ("great ~ lost", "Great. It is lost", "It is lost. Great"),
        ("no+one|nobody came", "so no one came", "one came"),
        ("can't go", "I cannot go", "I can go"),
    ],
)
def test_the_language_of_phrases(phrase: str, yes: str, no: str) -> None:
    pattern = compiled(phrase, {}).pattern
    assert pattern.search(line_of(tokens(yes.split())).text)
    assert not pattern.search(line_of(tokens(no.split())).text)


def test_a_list_stands_for_its_entries() -> None:
    pattern = compiled("by <day>", {"day": ("monday", "the end of day")}).pattern
    assert pattern.search(line_of(tokens(["by", "the", "end", "of", "day"])).text)


def test_phrases_are_whole_words() -> None:
    assert names(cue('["hell", "idiot"]'), "hello michelle, what an idiotic day") == []


def test_a_cue_has_the_words_it_was_found_in() -> None:
    (found,) = Finder(cue('["my lawyer"]')).find(C, ["Then,", "um,", "I", "call", "my", "lawyer.", "Today!"])
    assert (found.first, found.last, found.how) == (4, 5, "words")


def test_each_party_has_its_own_cues() -> None:
    cues = cue('["thank you"]')
    assert names(cues, "thank you") == ["x"]
    assert names(cues, "thank you", A) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I will cancel it", True),
        ("I will not cancel it", False),
        ("I am not going to cancel it", False),
        ("No, cancel it", True),
        ("If not I cancel it", True),
        ("It's not working, cancel it", True),
        ("It does not work. Cancel it", True),
    ],
)
def test_a_negation_takes_a_cue_away(text: str, found: bool) -> None:
    assert names(cue('["cancel it"]', "negatable = true"), text) == ["x"] * found


def test_unless_holds_in_its_own_sentence() -> None:
    cues = cue('["cancel * card"]', 'unless = ["as you asked"]')
    assert names(cues, "I will cancel my old card as you asked.") == []
    assert names(cues, "I moved as you asked. Now cancel that card.") == ["x"]


def test_a_cue_yields_to_another_in_its_sentence() -> None:
    other = '[[cue]]\nname = "y"\nrole = "customer"\nphrases = ["for nothing"]'
    cues = cue('["thanks"]', f'yields = ["y"]\n{other}')
    assert names(cues, "thanks for nothing") == ["y"]
    assert names(cues, "Thanks. It was for nothing.") == ["x", "y"]


@pytest.mark.parametrize(("a", "b"), [("cancel", "counsel"), ("supervisor", "supervizer"), ("refund", "revunt")])
def test_words_that_sound_alike_have_one_key(a: str, b: str) -> None:
    assert key(a) == key(b)


def test_words_that_sound_otherwise_have_other_keys() -> None:
    assert len({key(word) for word in ("manager", "supervisor", "refund", "cancel", "lawyer")}) == 5


@pytest.mark.parametrize("text", ["get me a super visor", "get me a soupervisor"])
def test_a_phrase_is_found_in_words_that_sound_like_it(text: str) -> None:
    cues = cue('["me a supervisor"]')
    assert names(cues, text) == ["x"]
    assert names(cues, text, settings=Cues(sound=False)) == []


def test_a_sentence_near_in_meaning_shows_a_cue() -> None:
    more = (
        'like = ["I want to end my contract with you"]\nclose = 0.6\ncounter_examples = ["I want to read my contract"]'
    )
    cues = cue('["goodbye"]', more)
    assert names(cues, "Yes. I would like to end the contract that I have with you.") == ["x"]
    assert names(cues, "I would like to read the contract.") == []
    assert names(cues, "I would like to end the contract that I have with you.", settings=Cues(meaning=False)) == []


def test_a_deployment_adds_phrases_and_cues(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        '[[cue]]\nname = "threat"\nphrases = ["go to jupiter mobile"]\n'
        '[[cue]]\nname = "outage"\nrole = "customer"\nphrases = ["no signal"]\n'
    )
    finder = Finder(load_cues(Cues(files=(str(ours),))))
    found = finder.find(C, ["No", "signal", "again.", "I'll", "go", "to", "Jupiter", "Mobile!"])
    assert {"threat", "outage"} <= {each.name for each in found}
    assert "threat" in {each.name for each in finder.find(C, ["You", "will", "hear", "from", "my", "lawyer"])}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[[cue]\nname = "x"', "ours.toml: no TOML"),
        ("[cues]\n", r"unknown table \[cues\]"),
        ('[cue]\nname = "x"', r"must be written \[\[cue\]\]"),
        ('\n[[cue]]\nname = "x"\nphrases = ["a"]', "line 2, cue x: role: Field required"),
        ('[[cue]]\nrole = "agent"\nphrases = ["a"]', "line 1, cue without a name: name: Field required"),
        ('[[cue]]\nname = "x"\nrole = "boss"\nphrases = ["a"]', "cue x: role: Input should be"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrase = ["a"]', "cue x: phrase: Extra inputs"),
        ('[[cue]]\nname = "x"\nrole = "agent"', "cue x: phrases: there are none"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrases = ["* ..."]', "cue x: .* no word that must be there"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrases = ["by <day>"]', "names the list <day>"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrases = ["a ^b"]', "not at its start"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrases = ["a ! b"]', "'!', which is no word"),
        ('[[cue]]\nname = "x"\nrole = "agent"\nphrases = ["a"]\nyields = ["y"]', "cue x: yields: there is no cue 'y'"),
        ('[lists]\nday = "monday"', "day must be a list of words"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(body: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        written(body)


def test_a_cue_keeps_its_party(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[[cue]]\nname = "threat"\nrole = "agent"\nphrases = ["a"]')
    with pytest.raises(BadInput, match=r"ours.toml: line 1, cue threat: role: it is a cue of the customer"):
        load_cues(Cues(files=(str(ours),)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none.toml: cannot be read as cues: No such file"):
        load_cues(Cues(files=(str(tmp_path / "none.toml"),)))


def test_every_shipped_cue_finds_its_examples_and_no_counter_example() -> None:
    finder = load_playbook().finder
    for rule in load_playbook().cues.rules:
        assert rule.examples, rule.name
        assert rule.counter_examples, rule.name
        for text in rule.examples:
            assert rule.name in {each.name for each in finder.find(rule.role, text.split())}, (rule.name, text)
        for text in rule.counter_examples:
            assert rule.name not in {each.name for each in finder.find(rule.role, text.split())}, (rule.name, text)


@pytest.mark.parametrize(
    ("name", "role", "text"),
    [
        ("repeat_contact", C, "this is the third time i have called"),
        ("repeat_contact", C, "i told you three times"),
        ("not_heard", C, "you are not listening to me"),
        ("supervisor_request", C, "let me speak to your supervisor please"),
        ("defensive", A, "madam calm down"),
        ("next_step", A, "you will hear from us within two working days"),
    ],
)
def test_cues_are_found_without_punctuation(name: str, role: Channel, text: str) -> None:
    assert name in shipped(text, role)


@pytest.mark.parametrize(
    ("text", "role", "name"),
    [
        ("I can't thank you enough.", A, "refusal"),
        ("I will cancel my old card as you asked.", C, "threat"),
        ("I want to calm down the alert settings.", A, "defensive"),
        ("The policy number is on the letter.", A, "refusal"),
        ("Thanks for nothing.", C, "gratitude"),
    ],
)
def test_tempting_words_mislead_nobody(text: str, role: Channel, name: str) -> None:
    assert name not in shipped(text, role)


def test_a_warm_finder_makes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second of making patterns, and the network's ten milliseconds an utterance, would hold up every call."""
    line = "I have been waiting for three weeks, and nobody of yours ever called me back."
    said, finder = line.split(), Finder(load_cues(Cues()))
    finder.warm()
    finder.ahead(said)
    with monkeypatch.context() as patched:
        for module, name in ((sentences, "_loaded"), (re, "compile")):
            patched.setattr(module, name, lambda *_: pytest.fail("made when it was needed"))
        found = finder.find(Channel.CUSTOMER, said)
    sentences._both.cache_clear()
    assert found
    assert found == Finder(load_cues(Cues())).find(Channel.CUSTOMER, said)


def test_changed_cues_are_another_playbook(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[[cue]]\nname = "threat"\nphrases = ["go to jupiter mobile"]')
    changed = load_playbook(cues=Cues(files=(str(ours),)))
    assert changed.identity != load_playbook().identity
