"""``calmline train`` and ``calmline evaluate`` on a corpus made here: from clips to a set of weights and a report."""

import json

import numpy as np
import pytest
import soundfile

from api.cli import run
from api.commands import clips
from api.config import Config, Server
from models.affect import AffectModel
from models.training.figures import NOTE

RATE = 16_000
SPEAKERS = {"one": (110.0, 180.0, 130.0), "two": (210.0, 120.0, 160.0)}
"""F0 in Hz of the speakers of each corpus."""


def voiced(hertz: float, angry: bool, seed: int) -> np.ndarray:
    """1.2 s of a vowel with syllables; an angry one has much more of its power in the upper half of the band."""
    chance = np.random.default_rng(seed)
    t = np.arange(round(1.2 * RATE)) / RATE
    turns = np.cumsum(hertz * (1 + 0.05 * np.sin(2 * np.pi * chance.uniform(2, 4) * t))) / RATE
    tilt = 0.7 if angry else 1.6
    harmonics = range(1, int(3800 // hertz))
    wave = sum(np.sin(2 * np.pi * n * turns + chance.uniform(0, 6)) / n**tilt for n in harmonics)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)
    return 0.05 * syllables * wave + 1e-3 * chance.standard_normal(len(t))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Two tables of three speakers with six clips each, half of them angry."""
    folder, tables = tmp_path_factory.mktemp("corpora"), []
    for corpus, voices in SPEAKERS.items():
        rows = ["path,corpus,speaker,sex,emotion"]
        for speaker, hertz in enumerate(voices):
            for n in range(6):
                emotion, name = ("anger", "neutral")[n % 2], f"{corpus}-{speaker}-{n}.wav"
                soundfile.write(folder / name, voiced(hertz, n % 2 == 0, 100 * speaker + n), RATE)
                rows.append(f"{name},{corpus},{speaker},{('male', 'female')[hertz > 150]},{emotion}")
        tables.append(folder / f"{corpus}.csv")
        tables[-1].write_text("\n".join(rows))
    return tables


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """The real one, loaded once."""
    return clips._recogniser(Config(server=Server(model_cache=str(tmp_path_factory.mktemp("models")))))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Measured once for the whole file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def call(corpora, cache, tmp_path, monkeypatch, capsys, recogniser):
    """Runs a command on both tables; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clips, "_recogniser", lambda config: recogniser)
    given = [word for table in corpora for word in ("--corpus", str(table))]

    def command(name: str, *options: str, tables: list[str] = given):
        code = run([name, *tables, "--cache", str(cache), *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_a_set_is_trained_and_can_be_loaded(call, tmp_path):
    code, out, err = call("train", "--out", "ours", "--line", "mulaw")
    assert (code, err) == (0, "")
    assert "ours is in ours" in out
    model = AffectModel.load(tmp_path / "ours")
    assert model.encoder_name == "tiny.en"
    assert model.about["trained_on"]["one"] == {"clips": 18, "speakers": 3, "anger": 9}
    assert str(tmp_path) not in (tmp_path / "ours" / "model.json").read_text()


def test_calm_speech_is_learnt_from_too(call, corpora, tmp_path):
    calm = corpora[0].with_name("calm.csv")
    calm.write_text("path,corpus,speaker\n" + "".join(f"two-{n}-1.wav,read,{n}\n" for n in range(3)))
    code, out, err = call("train", "--out", "calmer", "--line", "mulaw", "--calm", str(calm))
    assert (code, err) == (0, "")
    about = AffectModel.load(tmp_path / "calmer").about
    assert about["trained_on"]["read"] == {"clips": 3, "speakers": 3, "anger": 0}
    code, out, _ = call("evaluate", "--scorer", "train", "--json", "--calm", str(calm))
    assert code == 0
    assert set(json.loads(out)["speeds"]["fast"]["corpora"]) == {"one", "two"}


def test_the_same_seed_gives_the_same_weights(call, tmp_path):
    for name in ("a", "b"):
        assert call("train", "--out", name, "--line", "mulaw", "--seed", "3")[0] == 0
    assert (tmp_path / "a/weights.npz").read_bytes() == (tmp_path / "b/weights.npz").read_bytes()


def test_an_older_set_is_not_lost_unasked(call):
    assert call("train", "--out", "ours", "--line", "mulaw")[0] == 0
    code, _, err = call("train", "--out", "ours", "--line", "mulaw")
    assert (code, err) == (2, "calmline: ours holds a set of weights already; --force overwrites it\n")
    assert call("train", "--out", "ours", "--line", "mulaw", "--force")[0] == 0


def test_strangers_are_judged_by_weights_without_their_corpus(call):
    code, out, _ = call("evaluate", "--scorer", "train", "--json")
    assert code == 0
    result = json.loads(out)
    assert result["note"] == NOTE
    assert "without the corpus that is tested" in result["scorer_note"]
    for speed in ("fast", "fused"):
        its = result["speeds"][speed]
        assert its["auc"]["low"] <= its["auc"]["value"] <= its["auc"]["high"]
        assert its["auc"]["value"] > 0.9
        assert set(its["corpora"]) == {"one", "two"}
        assert set(its["sex"]) == {"female", "male"}


def test_a_report_has_the_warning_the_tables_and_the_pictures(call, tmp_path):
    lines = ("--line", "mulaw", "--line", "up12")
    assert call("evaluate", "--scorer", "train", "--report", "report", "--curve", *lines)[0] == 0
    text = (tmp_path / "report/report.md").read_text()
    assert NOTE in text
    for name in ("roc_fast.png", "roc_fused.png", "reliability.png", "learning_curve.png"):
        assert f"({name})" in text
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")
    assert "| up12 |" in text
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    assert figures["lines"]["mulaw"]["fast"]["change"] == 0.0
    assert figures["lines"]["up12"]["fast"]["change"] < 0.1
    assert [point["speakers"] for point in figures["curve"]] == sorted(point["speakers"] for point in figures["curve"])


def test_formula_is_judged_as_it_is_and_told(call):
    code, out, err = call("evaluate", "--scorer", "formula")
    assert code == 0
    assert "formula: evaluated as it is" in out
    assert "None of it is real telephone anger" in err


def test_a_set_that_knows_the_speakers_is_given_away(call):
    assert call("train", "--out", "ours", "--line", "mulaw")[0] == 0
    _, out, _ = call("evaluate", "--scorer", "ours")
    assert "trained on one, two: those speakers were no strangers to it" in out


def test_without_a_baseline_the_population_is_all_there_is(call):
    values = [json.loads(call("evaluate", "--baseline", each, "--json")[1]) for each in ("blind", "none")]
    assert values[0]["speeds"] != values[1]["speeds"]


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("train", ("--out", "x", "--line", "fax"), "fax is no line; there are: clean, mulaw"),
        ("train", ("--out", "x", "--line", "music15"), "the line music15 needs --music FILE"),
        ("evaluate", ("--scorer", "nobody"), "nobody is no scorer: acted, formula, train, or a folder"),
        ("evaluate", ("--positive", "joy"), "0 of 36 clips are joy: give both sides"),
    ],
)
def test_what_cannot_be_done_is_one_line(command, options, said, call):
    code, _, err = call(command, *options)
    assert code == 2
    assert err.startswith(f"calmline: {said}")
    assert err.count("\n") == 1


def test_one_corpus_cannot_be_left_out_and_the_way_out_is_told(call, corpora):
    code, _, err = call("evaluate", tables=["--corpus", str(corpora[0])])
    assert code == 2
    assert "at least two corpora; --protocol speaker works on one" in err
    code, out, _ = call("evaluate", "--protocol", "speaker", "--json", tables=["--corpus", str(corpora[0])])
    assert code == 0
    assert "without the speakers that are tested" in json.loads(out)["scorer_note"]


def test_a_folder_that_is_no_set_is_told(call, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = call("evaluate", "--scorer", "empty")
    assert code == 3
    assert "empty holds no set of weights" in err


def test_a_clip_that_is_no_audio_is_named(call, tmp_path):
    (tmp_path / "a.wav").write_text("no audio")
    (tmp_path / "b.wav").write_text("neither")
    (tmp_path / "t.csv").write_text("path,corpus,speaker,emotion\na.wav,x,1,anger\nb.wav,x,2,calm\n")
    code, _, err = call("evaluate", "--protocol", "speaker", tables=["--corpus", str(tmp_path / "t.csv")])
    assert code == 2
    assert "a.wav: cannot be read as audio" in err
