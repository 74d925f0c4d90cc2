"""Secrets in answers: a server may echo the key that it was sent, and the ledger must not keep it.

Trade-off: a key is recognised in plain text, behind the escapes of JSON, URLs and HTML (also escaped twice), and
in base64. Any other encoding of it gets through.
"""

import base64
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self

from cotpd.llm.params import LlmParams

MASK = "***"
_ESCAPE = re.compile(r"\\[^nrtbf]|%[0-9a-f]{2}|&#|\x00", re.IGNORECASE)  # an escape that may hide part of a key
_MIN_LENGTH = 8  # characters; a shorter secret, such as "none", may be an ordinary word of an answer


@dataclass(frozen=True)
class SecretMask:
    """Replaces secrets by stars."""

    secrets: tuple[str, ...]

    @classmethod
    def from_params(cls, params: LlmParams) -> Self:
        """Build the mask of the key and the header values that the server is sent."""
        names = [params.api_key_env, *params.headers_env.values()]
        values = [os.environ.get(name, "").strip() for name in names if name]
        tokens = [value.split(None, 1)[1] for value in values if value.lower().startswith(("bearer ", "basic "))]
        return cls(tuple(dict.fromkeys(value for value in (*values, *tokens) if value)))

    @cached_property
    def _all_pattern(self) -> re.Pattern[str]:
        return _compile(self.secrets)

    @cached_property
    def _long_pattern(self) -> re.Pattern[str]:
        return _compile([secret for secret in self.secrets if len(secret) >= _MIN_LENGTH])

    @cached_property
    def _long_spellings(self) -> list[str]:
        long = [secret for secret in self.secrets if len(secret) >= _MIN_LENGTH]
        return [*long, *chain.from_iterable(map(_encode_base64, long))]

    def scrub(self, text: str) -> str:
        """Return a server's text for a message, without any secret, however short."""
        return self._all_pattern.sub(MASK, text)

    def mask_text(self, text: str) -> str:
        """Return an answer's text without secrets."""
        if not _ESCAPE.search(text) and not any(spelling in text for spelling in self._long_spellings):
            return text  # the usual case; the pattern takes fifty times as long
        return self._long_pattern.sub(MASK, text)

    def mask_body(self, raw: str) -> str:
        """Return a body without secrets, searched both as it came and in its decoded JSON strings.

        A body that is no JSON is searched as it came.
        """
        masked = self.mask_text(raw)
        if not _ESCAPE.search(masked):  # without an escape, decoded strings are what was searched already
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
    encoded = chain.from_iterable(map(_encode_base64, secrets))
    spellings = [*map(_build_pattern, secrets), *map(re.escape, encoded)]
    return re.compile("|".join(spellings) or r"(?!)")  # without a secret, a pattern that matches nothing


def _build_pattern(secret: str) -> str:
    """Return a pattern of all spellings of a secret."""
    return "".join(
        rf"(?:[\\\x00]|(?i:u005c|%5c)){{0,16}}(?:{_build_character_pattern(character)})" for character in secret
    )


def _build_character_pattern(character: str) -> str:
    code = ord(character)
    html = rf"&\#0{{0,4}}{code};|&\#x0{{0,4}}{code:x};"
    return rf"{re.escape(character)}|(?i:%{code:02x}|u00{code:02x}|x{code:02x}|{html})"


def _encode_base64(secret: str) -> list[str]:
    """Return the base64 characters that a secret alone determines, for each position in which it may begin.

    Base64 encodes three bytes together: a secret that begins after 0, 1 or 2 of them has three spellings, whose
    first and last characters also depend on its neighbours and are left out. The URL-safe forms are added.
    """
    secret_bytes = secret.encode()
    spellings: list[str] = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret_bytes).decode()
        start, stop = -(-offset * 8 // 6), (offset + len(secret_bytes)) * 8 // 6
        spelling = encoded[start:stop]
        spellings += {spelling, spelling.replace("+", "-").replace("/", "_")}
    return [spelling for spelling in spellings if len(spelling) >= _MIN_LENGTH]
