"""Secrets that come back: a server may echo the key that it was sent, in whatever spelling its answer has.

Trade-off: a key is recognised plain, behind JSON's, a URL's or HTML's escapes (also escaped twice), and in base64.
A server that spells it backwards gets it past this.
"""

import base64
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from cotpd.llm.params import LlmParams

MASK = "***"
_ESCAPE = re.compile(r"\\[^nrtbf]|%[0-9a-f]{2}|&#|\x00", re.IGNORECASE)  # one behind which a key may hide
_SHORTEST = 8  # characters; a shorter one, such as "none", may be an ordinary word of an answer


@dataclass(frozen=True)
class SecretMask:
    """Replaces secrets by stars."""

    secrets: tuple[str, ...]

    @classmethod
    def from_params(cls, params: LlmParams) -> Self:
        """The mask of the key, and of the values of the headers, that a server is sent."""
        names = [params.api_key_env, *params.headers_env.values()]
        values = [os.environ.get(name, "").strip() for name in names if name]
        bare = [value.split(None, 1)[1] for value in values if value.lower().startswith(("bearer ", "basic "))]
        return cls(tuple(dict.fromkeys(value for value in (*values, *bare) if value)))

    @cached_property
    def _every(self) -> re.Pattern[str]:
        return _compile(self.secrets)

    @cached_property
    def _long(self) -> re.Pattern[str]:
        return _compile([secret for secret in self.secrets if len(secret) >= _SHORTEST])

    @cached_property
    def _plain(self) -> list[str]:
        long = [secret for secret in self.secrets if len(secret) >= _SHORTEST]
        return [*long, *(own for secret in long for own in _encode_base64(secret))]

    def scrub(self, text: str) -> str:
        """A server's words, for a message: without any secret, however short."""
        return self._every.sub(MASK, text)

    def mask_text(self, text: str) -> str:
        """An answer's text without secrets."""
        if not _ESCAPE.search(text) and not any(plain in text for plain in self._plain):
            return text  # as most are: the pattern takes fifty times as long
        return self._long.sub(MASK, text)

    def mask_body(self, raw: str) -> str:
        """A body without secrets, looked for in it as it came and in its strings as they read.

        One that is no JSON is masked as it came.
        """
        masked = self.mask_text(raw)
        if not _ESCAPE.search(masked):  # its strings read as they are written
            return masked
        try:
            value = json.loads(masked)
            clean = self._mask_value(value)
        except (ValueError, RecursionError):
            return masked
        return masked if clean == value else json.dumps(clean, ensure_ascii=False)

    def _mask_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, list):
            return [self._mask_value(item) for item in value]
        if isinstance(value, dict):
            return {self.mask_text(name): self._mask_value(item) for name, item in value.items()}
        return value


def _compile(secrets: "tuple[str, ...] | list[str]") -> re.Pattern[str]:
    encoded = (own for secret in secrets for own in _encode_base64(secret))
    spellings = [*map(_spell, secrets), *map(re.escape, encoded)]
    return re.compile("|".join(spellings) or r"(?!)")  # without a secret, nothing


def _spell(secret: str) -> str:
    """A pattern of all spellings of a secret."""
    return "".join(
        rf"(?:[\\\x00]|(?i:u005c|%5c)){{0,16}}(?:{_spell_character(character)})" for character in secret
    )


def _spell_character(character: str) -> str:
    code = ord(character)
    html = rf"&\#0{{0,4}}{code};|&\#x0{{0,4}}{code:x};"
    return rf"{re.escape(character)}|(?i:%{code:02x}|u00{code:02x}|x{code:02x}|{html})"


def _encode_base64(secret: str) -> list[str]:
    """What a secret's own bits come to in base64 and its URL-safe form, at each place where it may begin."""
    spellings = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode()).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(secret.encode())) * 8 // 6]
        spellings += {own, own.replace("+", "-").replace("/", "_")}
    return [own for own in spellings if len(own) >= _SHORTEST]
