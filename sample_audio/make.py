"""Make the sample calls again: `python -m sample_audio.make` from the repository root.

Needs festival with the voice cmu_us_slt_arctic_hts, flite, and the development packages (pyworld). The same programs
give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import soundfile as sf

from sample_audio.studio import placement, script, take, telephone, truth

HERE = Path(__file__).parent
FLITE_LICENCE = "Debian libflite1: Carnegie Mellon University's own permissive (BSD-like) licence"
VOICE_LICENCES = {
    "cmu_us_slt_arctic_hts": "Debian festvox-us-slt-hts: EST-2003, EST-2000 (CMU) and BSD-3-clause (HTS working group)",
    "rms": FLITE_LICENCE,
    "awb": FLITE_LICENCE,
}


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _entry(call: script.Script, file: Path, seconds: float) -> dict[str, Any]:
    """What the manifest says of one file."""
    voices = {who: f"{voice.engine} {voice.name}" for who, voice in call.voices.items()}
    return {
        "file": file.name,
        "source": "made by sample_audio/make.py from festival/flite voices",
        "voices": voices,
        "licence": "Apache-2.0",
        "voice_licences": {voice.name: VOICE_LICENCES[voice.name] for voice in call.voices.values()},
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "seconds": seconds,
    }


def make_call(source: Path, target: Path) -> dict[str, Any]:
    """Write one call and its truth into the folder `target`; returns its manifest entry."""
    call = script.read(source)
    placed = placement.place([take.make(line, call.voices[line.who]) for line in call.lines])
    audio = placement.mix(call, placed)
    file = target / f"{call.name}.flac"
    sf.write(file, audio, telephone.RATE, subtype="PCM_16", format="FLAC")
    _write_json(target / f"{call.name}.truth.json", truth.tell(call, placed))
    return _entry(call, file, len(audio) / telephone.RATE)


def main() -> None:
    """Make every call that has a script."""
    sources = sorted((HERE / "scripts").glob("*.toml"))
    with ProcessPoolExecutor() as pool:
        entries = list(pool.map(make_call, sources, [HERE] * len(sources)))
    _write_json(HERE / "manifest.json", {"files": entries})


if __name__ == "__main__":
    main()
