"""The only wiring: which engines answer, which nodes are stepped, in which order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import models
from models.affect import AffectModel
from models.errors import ModelError
from models.protocols import Identity, PitchTracker, SpeechDetector, Transcriber
from pipeline.channel import Channel
from pipeline.errors import BadInput, EngineFault
from pipeline.nodes.advice import AdviceNode
from pipeline.nodes.claims import ClaimsNode
from pipeline.nodes.cues import CuesNode
from pipeline.nodes.ivr import IvrNode
from pipeline.nodes.leak import LeakNode
from pipeline.nodes.lines import LinesNode
from pipeline.nodes.overlaps import OverlapsNode
from pipeline.nodes.pace import PaceNode
from pipeline.nodes.prosody import ProsodyNode
from pipeline.nodes.regions import RegionsNode
from pipeline.nodes.revisions import RevisionsNode
from pipeline.nodes.roles import RolesNode
from pipeline.nodes.scores import ScoresNode
from pipeline.nodes.sounds import SoundsNode
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.strain import StrainNode
from pipeline.nodes.turns import TurnsNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.nodes.words import WordsNode
from pipeline.playbook import Playbook, load_playbook
from pipeline.session import CallInfo, Node, Session
from pipeline.settings import Settings

WEIGHTS = Path(models.__file__).parent / "weights"
SETS = ("acted", "formula")
"""The sets of weights that come along; any other name is a folder."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Loaded once, shared by every call. transcriber: None when words are not wanted; affect: when no score is."""

    detector: SpeechDetector
    pitch: PitchTracker
    transcriber: Transcriber | None
    playbook: Playbook
    affect: AffectModel | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        used = (self.detector, self.pitch, self.transcriber, self.affect)
        return (*(engine.identity for engine in used if engine is not None), self.playbook.identity)


def load(settings: Settings, model_cache: Path) -> Engines:
    """Load every engine that the policy lets work. model_cache: folder of pulled models.

    Raises EngineFault when one is missing or damaged.
    """
    from models.pitch import SwiftF0Tracker
    from models.silero import SileroDetector

    _quiet_blas()
    try:
        affect = load_affect(settings)
        transcriber = _transcriber(settings, model_cache, affect)
        return Engines(SileroDetector(), SwiftF0Tracker(), transcriber, load_playbook(cues=settings.cues), affect)
    except ModelError as error:
        raise EngineFault(str(error)) from error


def load_affect(settings: Settings) -> AffectModel | None:
    """The set of weights that ``scores.model`` names; None where the policy lets nobody be scored.

    Raises ModelError.
    """
    judged = settings.policy.agent_affect or settings.policy.customer_affect
    if not (judged and settings.measures.voice):
        return None
    name = settings.scores.model
    return AffectModel.load(WEIGHTS / name if name in SETS else Path(name).expanduser())


def _quiet_blas() -> None:
    """One thread for numpy's products: ours are small, and OpenBLAS's threads spin on the cores that hear words."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    threadpool_limits(limits=1, user_api="blas")


def build(info: CallInfo, settings: Settings, engines: Engines) -> Session:
    """A fresh session of one call. Two builds from the same arguments give the same events.

    Raises BadInput for a written conversation where words are not wanted.
    """
    info = replace(info, policy=settings.policy.name, unavailable=unavailable(info, settings))
    told_apart = info.attribution == "diarised"
    words = "words" not in info.unavailable
    if info.attribution == "written":
        if not words:
            raise BadInput(f"{info.source}: a chat is words alone, and {_no_words(settings)}")
        return Session(info, [LinesNode(), *_told(info, settings, engines)])
    ears = [
        *_when(settings.measures.echo, lambda: LeakNode(info.channels, settings.leak, told_apart=told_apart)),
        RegionsNode(),
        SpeechNode(info.channels, settings.speech, engines.detector),
        *_when(settings.measures.sounds, lambda: SoundsNode(info.channels, settings.sounds)),
        *_when(settings.measures.sounds, lambda: IvrNode(info.channels, settings.sounds)),
        UtterancesNode(info.channels, settings.words, enabled=words, told_apart=told_apart),
    ]
    scored = frozenset(_scored(info))
    mind = [
        *_when(words, lambda: WordsNode(info.channels, settings.words)),
        TurnsNode(settings.turns),
        OverlapsNode(info.channels, settings.turns),
        RevisionsNode(),
        *_when(words, lambda: RolesNode(info.channels)),
        *_when(words, lambda: PaceNode(info.channels, settings.voice)),
        *_when(settings.measures.voice, StrainNode),
        *_when(settings.measures.voice, lambda: ProsodyNode(scored, info.channels, settings.voice, engines.pitch)),
        *_told(info, settings, engines),
    ]
    return Session(info, mind, ears, scored)


def _when(measured: bool, node: Callable[[], Node]) -> list[Node]:
    return [node()] if measured else []


def _told(info: CallInfo, settings: Settings, engines: Engines) -> list[Node]:
    """What is made of words, spoken or written, and of what people answer."""
    words, scored = "words" not in info.unavailable, _scored(info)
    return [
        *_when(words, lambda: CuesNode(engines.playbook)),
        *_when(bool(scored), lambda: ScoresNode(scored, settings.scores, engines.affect)),
        AdviceNode(settings.alerts, engines.playbook, written=info.attribution == "written"),
        ClaimsNode(),
    ]


def unavailable(info: CallInfo, settings: Settings) -> dict[str, str]:
    """What this call cannot have, and why."""
    policy, measures = settings.policy, settings.measures
    reasons = dict(info.unavailable)
    if not measures.voice:
        reasons |= dict.fromkeys(("anger", "tension"), _off("voice"))
    reasons |= {name: _off(name) for name in ("words", "sounds", "echo") if not getattr(measures, name)}
    if info.channels == (Channel.UNKNOWN,):
        reasons |= dict.fromkeys(("talk_over", "anger", "tension"), "one channel: the speaker is unknown")
    if info.attribution == "written":
        reasons |= dict.fromkeys(("talk_over", "anger", "tension"), "a written conversation has no voice")
    if policy.needs_notice and not info.notice_given:
        reasons |= dict.fromkeys(("anger", "tension"), "no notice was given to the customer")
    if not policy.agent_affect:
        reasons["tension"] = f"policy {policy.name}"
    if not policy.customer_affect:
        reasons["anger"] = f"policy {policy.name}"
    if not policy.words:
        reasons["words"] = f"policy {policy.name}"
    return reasons


def _no_words(settings: Settings) -> str:
    """Why a written conversation cannot be taken, and what to change."""
    if not settings.policy.words:
        return f"policy {settings.policy.name} keeps no words"
    return "measures.words is off"


def _off(measure: str) -> str:
    return f"not measured (measures.{measure} is off)"


def _scored(info: CallInfo) -> tuple[Channel, ...]:
    """Channels that get a score; voice quality is measured for these alone."""
    wanted = ((Channel.CUSTOMER, "anger"), (Channel.AGENT, "tension"))
    return tuple(channel for channel, score in wanted if score not in info.unavailable)


def _transcriber(settings: Settings, model_cache: Path, affect: AffectModel | None) -> Transcriber | None:
    """affect: scores what the encoder hears, where it was trained on this very recogniser's."""
    if not (settings.policy.words and settings.measures.words):
        return None
    from models import checkpoints
    from models.whisper import WhisperTranscriber

    words = settings.words
    folder = checkpoints.resolve(words.model, model_cache)
    pins = checkpoints.pins(folder)
    if pins is not None:
        checkpoints.verify(folder, pins)
    return WhisperTranscriber(
        folder,
        identity=checkpoints.identify(words.model, folder),
        language=words.language,
        device=words.device,
        compute_type=words.compute_type,
        threads=words.threads,
        workers=words.workers,
        devices=words.devices,
        hotwords=words.hotwords or None,
        initial_prompt=words.initial_prompt or None,
        scorer=affect if affect is not None and affect.encoder_name == words.model else None,
    )
