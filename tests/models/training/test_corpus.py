"""Tables of clips: what is read, and what is refused with the line that is wrong."""

import numpy as np
import pytest
import soundfile

from models.training import audio
from models.training.corpus import calm, check_enough, read
from models.training.errors import TrainingError

HEAD = "path,corpus,speaker,sex,emotion"


@pytest.fixture
def table(tmp_path):
    """Writes a table, and a file of its own content for every path in it that is no ``missing``."""

    def write(*rows: str, head: str = HEAD):
        for name in {row.split(",")[0] for row in rows}:
            if name and not name.startswith("missing"):
                (tmp_path / name).write_bytes(name.removeprefix("copy-of-").encode())
        file = tmp_path / "clips.csv"
        file.write_text("\n".join([head, *rows]), encoding="utf-8")
        return file

    return write


def test_clips_are_sorted_and_speakers_told_apart_by_corpus(table, tmp_path):
    first, second = read([table("b.wav,y,1,female,anger", "a.wav,x,1,,calm")])
    assert (first.who, first.sex, first.file) == ("x/1", "", tmp_path / "a.wav")
    assert (second.who, second.sex, second.emotion) == ("y/1", "female", "anger")


def test_a_spreadsheet_with_a_byte_order_mark_and_more_columns_is_read(table):
    (clip,) = read([table("a.wav,x,1,male,sad,why not", head="\ufeff" + HEAD + ",remark")])
    assert clip.emotion == "sad"


def test_of_identical_files_the_first_is_kept(table):
    (clip,) = read([table("a.wav,x,1,male,sad", "copy-of-a.wav,x,1,male,sad")])
    assert clip.file.name == "a.wav"


def test_one_file_with_two_labels_is_a_mistake(table):
    with pytest.raises(TrainingError, match=r"copy-of-a\.wav and .*a\.wav are the same file.*one is wrong"):
        read([table("a.wav,x,1,male,sad", "copy-of-a.wav,x,1,male,anger")])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.wav,x,1,male,angry", r"line 3: emotion 'angry' is none of anger, neutral"),
        ("missing.wav,x,1,male,anger", r"line 3: there is no file .*missing\.wav"),
        ("a.wav,x,,male,anger", r"line 3: speaker is empty"),
        (",x,1,male,anger", r"line 3: path is empty"),
        ("a.wav,x", r"line 3: speaker, emotion is empty"),
    ],
)
def test_a_bad_row_is_named(row, said, table):
    with pytest.raises(TrainingError, match=said):
        read([table("fine.wav,x,1,male,calm", row)])


def test_a_missing_column_is_named(table):
    with pytest.raises(TrainingError, match="no column speaker, emotion; a table has path, corpus, speaker, emotion"):
        read([table("a.wav,x", head="path,corpus")])


def test_what_is_no_table_is_told(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    for name in ("none.csv", "binary.csv"):
        with pytest.raises(TrainingError, match=f"{name}: cannot be read as CSV"):
            read([tmp_path / name])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a.wav,x,1,,calm", "b.wav,x,2,,sad"], "0 of 2 clips are anger"),
        (["a.wav,x,1,,anger", "b.wav,x,2,,anger"], "2 of 2 clips are anger"),
        (["a.wav,x,1,,anger", "b.wav,x,1,,sad"], "all clips are of one speaker"),
    ],
)
def test_nothing_can_be_learnt_from_one_side_or_one_speaker(rows, said, table):
    with pytest.raises(TrainingError, match=said):
        check_enough(read([table(*rows)]), {"anger"})


def test_calm_speech_needs_no_label_and_comes_in_pieces_of_three_seconds(tmp_path):
    ramp = np.linspace(-0.5, 0.5, round(7.5 * audio.RATE))
    soundfile.write(tmp_path / "long.wav", ramp, audio.RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", ramp[: audio.RATE], audio.RATE)
    table = tmp_path / "calm.csv"
    table.write_text("path,corpus,speaker,text\nlong.wav,read,1,hello\nshort.wav,read,2,\n")
    found = calm([table, table])
    assert [(clip.file.name, clip.piece, clip.emotion) for clip in found] == [
        ("long.wav", 0, "neutral"),
        ("long.wav", 1, "neutral"),
        ("short.wav", 0, "neutral"),
    ]
    assert len({clip.key for clip in found}) == 3
    assert len(audio.load(found[2].file, 0)) == audio.RATE
    np.testing.assert_allclose(audio.load(found[1].file, 1), ramp[audio.PIECE : 2 * audio.PIECE], atol=1e-6)


def test_calm_speech_without_a_speaker_or_a_sound_is_refused(table, tmp_path):
    with pytest.raises(TrainingError, match="no column speaker; a table has path, corpus, speaker"):
        calm([table("a.wav,x", head="path,corpus")])
    with pytest.raises(TrainingError, match=r"a\.wav: cannot be read as audio"):
        calm([table("a.wav,x,1", head="path,corpus,speaker")])
