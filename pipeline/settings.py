"""One frozen tree of settings. The resolved tree is the first line of every journal.

Unknown keys are rejected; every field has a unit, a range and a reason. Secrets and addresses are not
here: they belong to the server's own settings (``api.config``) and never reach a journal.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Speech(Section):
    """Speech activity: Silero probability per 32 ms, with hysteresis."""

    onset: float = Field(default=0.45, ge=0.05, le=0.95)
    """Probability (0-1) that starts speech. Silero's own 0.5 is late by soft beginnings on telephone lines."""
    release: float = Field(default=0.25, ge=0.01, le=0.95)
    """Probability (0-1) under which a tick counts as silence; below onset, so that speech does not flicker."""
    onset_s: float = Field(default=0.064, ge=0.032, le=0.5)
    """Seconds of speech before a stretch begins: one tick alone is a click."""
    hangover_s: float = Field(default=0.256, ge=0.064, le=1.0)
    """Seconds of silence that end a stretch; shorter pauses (stop consonants) belong to the word."""
    floor_dbfs: float = Field(default=-60.0, ge=-96.0, le=-20.0)
    """Level in dBFS under which a tick is silence whatever the detector says: line noise lies here."""
    bleed_db: float = Field(default=38.0, ge=20.0, le=96.0)
    """Decibels under the other party's voice at which a tick is bleed from it and no speech; parties on a line differ
    by 20 dB at most."""


class Leak(Section):
    """Echo and bleed between the channels, and one sound on both (dual mono)."""

    longest_s: float = Field(default=0.3, ge=0.01, le=0.35)
    """Longest delay of a leak, in seconds; ITU-T G.131 calls echo beyond about 0.3 s a fault of the line."""
    source_dbfs: float = Field(default=-50.0, ge=-80.0, le=-20.0)
    """Level in dBFS under which a party is not heard to speak, so that nothing is learnt of its leak."""
    strength: float = Field(default=0.2, ge=0.05, le=1.0)
    """Correlation (0-1) from which one channel may be in the other."""
    contrast: float = Field(default=4.0, ge=1.5, le=50.0)
    """That correlation over the median of all delays; two voices of one pitch stay near 2."""
    breadth: float = Field(default=0.25, ge=0.0, le=1.0)
    """Share (0-1) of the frequencies under 4 kHz that a voice fills: from 0.35; a ringing tone fills 0.2."""
    proof_db: float = Field(default=1.0, ge=0.5, le=20.0)
    """Decibels by which an estimate must lower what it has not heard before, to be trusted."""
    trial_s: float = Field(default=3.0, ge=0.5, le=60.0)
    """Seconds of the source speaking after which an estimate that proved nothing is dropped."""
    gone_s: float = Field(default=10.0, ge=1.0, le=120.0)
    """Seconds of the source speaking in which nothing of it is heard any more."""
    twin_s: float = Field(default=1.0, ge=0.3, le=10.0)
    """Seconds of one sound on both channels that make it dual mono, or of two sounds that rule it out."""
    twin_spread_db: float = Field(default=4.0, ge=0.0, le=20.0)
    """Range in dB of the middle half of its levels: speech moves, a ringing tone or hum does not."""


class Sounds(Section):
    """What is heard and is not conversation: music, ringing, tones, noise, clipping."""

    tonal: float = Field(default=0.42, ge=0.1, le=0.95)
    """Share of the power (0-1) that stands still, over ``music_s``, from which a sound is music; speech: under 0.33."""
    music_s: float = Field(default=2.0, ge=1.0, le=10.0)
    """Seconds of music before it is told: shorter ones are jingles, or a voice that holds a vowel."""
    noise_dbfs: float = Field(default=-45.0, ge=-50.0, le=-10.0)
    """Level in dBFS from which a sound that never pauses is noise; an ordinary line lies 15 dB under it."""
    noise_s: float = Field(default=2.0, ge=0.5, le=30.0)
    """Seconds of unbroken noise before it is told: longer than a breath or a rustle."""
    clipped: float = Field(default=0.045, ge=0.01, le=0.5)
    """Share (0-1) of a second's samples near one ceiling from which speech is clipped; unclipped it has under 0.03."""
    front_db: float = Field(default=4.0, ge=1.0, le=30.0)
    """Level in dB over the music from which a voice is a person in front of it and not its singer."""
    exchange_s: float = Field(default=1.0, ge=0.5, le=30.0)
    """Seconds of the customer's talk from which the call is a conversation: no sound makes its start a machine's."""


class Turns(Section):
    """Turn-taking, after the definitions of docs/design.md and the field."""

    overlap_s: float = Field(default=0.5, ge=0.1, le=3.0)
    """Seconds of overlap before it is shown; most overlaps are shorter and harmless."""
    interruption_s: float = Field(default=1.0, ge=0.3, le=5.0)
    """Seconds of overlap that count as an interruption (a 3 s preset exists in the market)."""
    floor_s: float = Field(default=1.0, ge=0.0, le=5.0)
    """Seconds the incumbent must have held the floor to be interrupted."""
    dual_start_s: float = Field(default=0.2, ge=0.0, le=1.0)
    """Seconds between two starts after a gap that count for neither party."""
    backchannel_s: float = Field(default=1.0, ge=0.2, le=3.0)
    """Longest contribution, in seconds, that may be a backchannel."""
    brief_s: float = Field(default=0.6, ge=0.1, le=3.0)
    """Longest contribution, in seconds, that counts as a backchannel by its length alone, where no words are known."""
    settle_s: float = Field(default=2.5, ge=0.0, le=10.0)
    """Seconds for which a short contribution waits for its words before it is called a turn or a backchannel."""
    cut_s: float = Field(default=0.5, ge=0.1, le=2.0)
    """Seconds the interrupter goes on, alone, for the floor to count as taken."""
    silence_s: float = Field(default=3.0, ge=0.5, le=60.0)
    """Seconds of silence on both sides that count as non-talk time."""


class Words(Section):
    """Cutting utterances and judging what the recogniser returns."""

    model: str = "tiny.en"
    """faster-whisper name or a local folder; the embedded default needs no network."""
    language: str = "en"
    """Language code of the calls, or auto: detected in each utterance, by a multilingual model."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the recogniser runs."""
    compute_type: str = "int8"
    """CTranslate2 compute type; int8 on CPU, float16 on CUDA."""
    threads: int = Field(default=1, ge=1, le=64)
    """CPU threads of one worker, 1-64; two workers of one thread do more than one worker of two."""
    workers: int = Field(default=2, ge=1, le=64)
    """Batches heard at once on each device, 1-64: one for each core that is free for words."""
    devices: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Indexes of the GPUs that get a copy of the model each; a CPU is one device and ignores them."""
    hotwords: str = ""
    """Product and agent names that the recogniser should prefer."""
    initial_prompt: str = ""
    """Text that could have gone before, such as a greeting: its names and spelling are preferred. Empty: none."""
    longest_s: float = Field(default=14.0, ge=3.0, le=28.0)
    """Seconds after which an utterance is cut although its speaker goes on; Whisper hears 30 s at most."""
    join_s: float = Field(default=0.6, ge=0.064, le=3.0)
    """Seconds of pause that are still one utterance: longer context makes better words."""
    easy_s: float = Field(default=8.0, ge=0.0, le=28.0)
    """Seconds of an utterance from which ever shorter pauses end it, in a line to ``breath_s`` at ``longest_s``."""
    breath_s: float = Field(default=0.256, ge=0.064, le=3.0)
    """Seconds of pause that end the longest utterance; shorter ones lie within words."""
    draft_s: float = Field(default=0.9, ge=0.0, le=10.0)
    """Seconds of growth between two drafts of a running utterance, 0 for none; each costs a pass of the recogniser."""
    shortest_s: float = Field(default=0.128, ge=0.0, le=0.5)
    """Seconds of speech, its first tick left out, below which nothing is asked: a click is no word."""
    pad_s: float = Field(default=0.16, ge=0.0, le=1.0)
    """Seconds of audio kept before and after, so that soft onsets are heard."""
    nominal_delay_s: float = Field(default=1.0, ge=0.0, le=10.0)
    """Seconds after the request at which a recorded run admits words: fixed, so that it is deterministic."""
    late_s: float = Field(default=3.0, ge=0.1, le=60.0)
    """Seconds after an utterance's end from which its words are marked late."""
    batch: int = Field(default=2, ge=1, le=64)
    """Utterances of live calls heard at once at most: the first waits for the last. A CPU hears eight in a batch no
    faster than one by one (2: 4 % less, 8: 1 % more a piece, 16: a third more); a GPU should, but none was tried."""
    bulk_batch: int = Field(default=4, ge=1, le=256)
    """Utterances of recordings heard at once at most while no live call speaks; 4 cost a CPU least."""
    behind_s: float = Field(default=1.0, ge=0.1, le=30.0)
    """Seconds that a live call's words wait for their turn from which drafts are left out until it is over."""
    no_speech: float = Field(default=0.6, ge=0.0, le=1.0)
    """No-speech probability (0-1) above which text is refused when it is also unlikely; Whisper's default."""
    log_probability: float = Field(default=-1.0, ge=-10.0, le=0.0)
    """Mean log-probability under which doubtful text is refused; Whisper's default."""
    compression: float = Field(default=2.4, ge=1.0, le=10.0)
    """Characters per compressed byte above which text repeats itself; Whisper's default."""
    fastest_words_per_s: float = Field(default=8.0, ge=3.0, le=20.0)
    """Words per second of speech beyond which text is an invention: nobody speaks so."""
    voiced: float = Field(default=0.25, ge=0.01, le=0.95)
    """Probability of speech (0-1) under which a tick has no words, as ``speech.release``: words found there were not
    said."""
    foreign: float = Field(default=3.0, ge=0.0, le=100.0)
    """Log odds (nats) from which a speaker is taken to use another language than the recogniser knows, and text is
    withheld; 3 is twenty to one. 100 never does."""


class Voice(Section):
    """Pace and prosody, measured against the speaker's own baseline."""

    block_s: float = Field(default=0.512, ge=0.128, le=3.0)
    """Seconds per block of F0, level and spectrum; a hop of 512 ms costs about 1 % of a core."""
    window_s: float = Field(default=3.0, ge=1.0, le=10.0)
    """Seconds of own speech that a score's features describe: anger is heard in 1 to 3 s; less is noisier."""
    baseline_s: float = Field(default=30.0, ge=3.0, le=300.0)
    """Seconds of own speech that make the baseline."""
    prior_s: float = Field(default=4.0, ge=0.1, le=60.0)
    """Seconds over which the population's centre fades (by e) as the speaker's own is learnt."""
    steady_db: float = Field(default=6.0, ge=1.0, le=30.0)
    """Level in dB over the baseline from which a block is aroused and does not move the baseline."""
    steady_st: float = Field(default=4.0, ge=1.0, le=24.0)
    """F0 in semitones over the baseline from which a block is aroused and does not move the baseline."""
    pace_window_s: float = Field(default=15.0, ge=3.0, le=120.0)
    """Seconds of own speech over which pace is counted."""
    pace_baseline_s: float = Field(default=20.0, ge=5.0, le=300.0)
    """Seconds of own speech from which a pace baseline exists."""


class Scores(Section):
    """What anger and tension are judged by, how fast evidence counts, and how it fades."""

    model: str = "acted"
    """Set of weights: acted (trained on acted speech, non-commercial), formula (by hand, free), or a folder of one."""
    hop_s: float = Field(default=0.512, ge=0.25, le=10.0)
    """Seconds between two scores of a silent channel; one that speaks is scored with each block of its voice."""
    attack_s: float = Field(default=1.7, ge=0.1, le=30.0)
    """Seconds of the speaker's own speech over which evidence of the voice is averaged (63 % of a step)."""
    tone_s: float = Field(default=8.0, ge=0.5, le=60.0)
    """Seconds of own speech in which what the recogniser's encoder heard counts less by e, until words come again."""
    usual_s: float = Field(default=60.0, ge=3.0, le=3600.0)
    """Seconds of own speech, less where aroused, that make what is usual; then it stands, and a slow rise is heard."""
    stranger: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share (0-1) of the voice's evidence that counts while nothing is known of the speaker: lines colour voices."""
    fade_s: float = Field(default=20.0, ge=1.0, le=300.0)
    """Seconds over which evidence fades by e: of words and overlaps since then, of a voice since it fell silent."""
    min_coverage: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of the evidence (0-1) without which no score is given."""


class Cues(Section):
    """What is looked for in what was said; the cues themselves are in ``pipeline/cues/en.toml``."""

    files: tuple[str, ...] = ()
    """TOML files of the deployment's own: more phrases for a cue of the same name, or new cues. Read in this order."""
    sound: bool = True
    """Whether phrases are also looked for in words that sound like theirs: a recogniser writes what it half heard."""
    meaning: bool = True
    """Whether labelled lines speak beside phrases, by nearness in meaning; off: phrases alone, and 20 ms less each."""
    weights: str = ""
    """File of ``calmline cues train``, for a deployment that adds labelled lines of its own; empty: the shipped one."""
    paraphrase: float = Field(default=0.55, ge=0.0, le=1.0)
    """Cosine (0-1) to the customer's last complaint from which an agent's sentence plays it back; 1: phrases alone."""


class Alerts(Section):
    """How often an agent may be told something."""

    gap_s: float = Field(default=20.0, ge=0.0, le=600.0)
    """Seconds between two raised alerts, whatever their kinds, unless critical."""
    repeat_s: float = Field(default=120.0, ge=0.0, le=3600.0)
    """Seconds before the same advice may be given again."""
    per_minute: int = Field(default=4, ge=1, le=60)
    """Raised alerts a minute at most, critical ones included."""
    stale_s: float = Field(default=25.0, ge=1.0, le=600.0)
    """Seconds after which advice about a moment (not a state) fades by itself."""
    wait_s: float = Field(default=15.0, ge=0.0, le=120.0)
    """Seconds that coaching about a moment waits for its turn, if it still holds; then it is too old to be of use."""
    may_offer: tuple[str, ...] = ()
    """What agents may offer by themselves where goodwill is due, at most three words each; empty: it is not advised."""
    snooze_s: float = Field(default=300.0, ge=10.0, le=3600.0)
    """Seconds of the call for which an agent who asks for quiet gets critical advice only."""

    @field_validator("may_offer")
    @classmethod
    def _short(cls, offers: tuple[str, ...]) -> tuple[str, ...]:
        for offer in offers:
            if not 1 <= len(offer.split()) <= 3:
                raise ValueError(f"{offer!r} has not one to three words; the advice is read at a glance")
        return offers


class Storage(Section):
    """Where calls are kept, and how many."""

    folder: str = ""
    """Folder of the calls; empty means the user's own data folder."""
    max_gb: float = Field(default=20.0, gt=0.0, le=100_000.0)
    """Gigabytes of stored calls at which no further call is accepted; nothing is deleted silently."""


class Policy(Section):
    """What may be computed and kept. ``eu-workplace`` infers no employee's emotions (EU AI Act art. 5(1)(f))."""

    name: str = "eu-workplace"
    """Name shown in doctor, in the journal and on the pages."""
    agent_affect: bool = False
    """Whether agent tension and the agent's F0 may be computed, stored and sent."""
    customer_affect: bool = True
    """Whether customer anger and the customer's F0 may be computed, stored and sent."""
    words: bool = True
    """Whether speech may be transcribed."""
    recording: bool = True
    """Whether audio may be stored; without it a call cannot be replayed."""
    needs_notice: bool = False
    """Whether affect and recording need a notice that the customer had when the call began."""


POLICIES = {
    "standard": Policy(name="standard", agent_affect=True),
    "eu-workplace": Policy(),
    "measures-only": Policy(name="measures-only", customer_affect=False, recording=False),
}


class Measures(Section):
    """What is measured at all. Each part costs every call; with less a machine carries more of them. What is off is
    said in ``unavailable``. Turn-taking (who speaks, overlaps, interruptions, silences) is always measured."""

    words: bool = True
    """What is said, and what follows from it: cues, pace, most advice. Costs most by far."""
    voice: bool = True
    """How it is said: level, F0, and the scores anger and tension. F0 is half of what a tick costs beside words."""
    sounds: bool = True
    """Music, ringing, tones, noise, clipping, machines that answer. Without it a singer on hold counts as a speaker."""
    echo: bool = True
    """Echo and bleed between the channels. Without it an echo counts as talk-over: only for lines that have none."""


class Settings(Section):
    """Everything that decides what events a call gives."""

    leak: Leak = Leak()
    sounds: Sounds = Sounds()
    speech: Speech = Speech()
    turns: Turns = Turns()
    words: Words = Words()
    voice: Voice = Voice()
    scores: Scores = Scores()
    cues: Cues = Cues()
    alerts: Alerts = Alerts()
    storage: Storage = Storage()
    measures: Measures = Measures()
    policy: Policy = Policy()
