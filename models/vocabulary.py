"""What a Whisper decoder is told before it listens: the language, words to expect, and what it may not write."""

from typing import Any

from models.errors import ModelError


class Vocabulary:
    """Tokenizers and prompts of one model and deployment, one a language; made when first asked for.

    shell: a faster-whisper ``WhisperModel``. hotwords, before: text, or empty. Raises ModelError when these leave the
    decoder no room for what is said: faster-whisper would cut them off without a word.
    """

    def __init__(self, shell: Any, hotwords: str, before: str) -> None:
        self._shell = shell
        self._hotwords, self._before = hotwords.strip(), before.strip()
        self._tokenizers: dict[str, Any] = {}
        self._prompts: dict[str, list[int]] = {}
        self._refuse_too_much()

    def tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped,unused-ignore]

        if language not in self._tokenizers:
            multilingual = self._shell.model.is_multilingual
            made = Tokenizer(self._shell.hf_tokenizer, multilingual, task="transcribe", language=language)
            self._tokenizers[language] = made
        return self._tokenizers[language]

    def prompt(self, language: str) -> list[int]:
        """Tokens before the first that is generated: no timestamps are, since words are timed by alignment."""
        if language not in self._prompts:
            tokenizer = self.tokenizer(language)
            before = tokenizer.encode(" " + self._before) if self._before else []
            hotwords = self._hotwords or None
            made = self._shell.get_prompt(tokenizer, before, without_timestamps=True, hotwords=hotwords)
            self._prompts[language] = list(made)
        return self._prompts[language]

    def suppressed(self) -> list[int]:
        """Tokens that are no speech, such as notes and brackets."""
        from faster_whisper.transcribe import get_suppressed_tokens

        return list(get_suppressed_tokens(self.tokenizer("en"), [-1]))

    def _refuse_too_much(self) -> None:
        tokenizer = self.tokenizer("en")
        count = sum(len(tokenizer.encode(" " + text)) for text in (self._hotwords, self._before) if text)
        room = self._shell.max_length // 2 - 10
        if count > room:
            raise ModelError(f"hotwords and initial_prompt are {count} tokens long, room is for {room}: shorten them")


def checked_language(language: str, multilingual: bool, name: str) -> str:
    """The language to expect, or "auto". Raises ModelError for one that the model called ``name`` does not know."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    if not multilingual:
        if language not in ("en", "auto"):
            raise ModelError(f"{name} knows English only, not {language!r}: take a multilingual model")
        return "en"
    if language != "auto" and language not in _LANGUAGE_CODES:
        raise ModelError(f"{name} knows no language {language!r}: give a code such as en or de, or auto")
    return language
