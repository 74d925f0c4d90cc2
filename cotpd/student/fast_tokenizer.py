"""A tokenizer.json read by the package `tokenizers` alone: transformers takes seconds to import.

Trade-off: only what cutting words needs; the ids of the special tokens are handed in, since which token is cls or
sep stands in files that transformers reads in a different way for each family.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from cotpd.errors import ModelError
from cotpd.student.folder_digests import REMEDY, TOKENIZER_CONFIG, read_object

_FILE = "tokenizer.json"
_ROLES = ("cls", "sep", "pad", "mask", "unk")


class FastTokenizer:
    """Cuts texts into the ids into which the fast tokenizer of transformers cuts them.

    Args:
        file: A tokenizer.json.
        special_ids: The id of each special token by its role (cls, sep, pad, mask, unk); None for one that the
            tokenizer lacks.

    Raises:
        ModelError: The file is missing or damaged.
    """

    def __init__(self, file: Path, special_ids: Mapping[str, int | None]) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415  the extra onnx

        try:
            self._tokenizer = Tokenizer.from_buffer(file.read_bytes())
        except Exception as error:  # tokenizers raises Exception itself
            raise ModelError(f"{file}: missing or damaged: {error}", REMEDY) from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._set_special(special_ids)

    @classmethod
    def from_saved(cls, folder: Path) -> Self | None:
        """Read the folder that a tokenizer of transformers wrote; None unless it names all special tokens there.

        Raises:
            ModelError: A file is damaged.
        """
        if not (folder / _FILE).is_file() or not (folder / TOKENIZER_CONFIG).is_file():
            return None
        config = read_object(folder / TOKENIZER_CONFIG)
        names = {role: _read_token(config.get(f"{role}_token")) for role in _ROLES}
        if config.get("backend") != "tokenizers":
            return None
        tokenizer = cls(folder / _FILE, {})
        ids = {role: tokenizer._find_id(name) for role, name in names.items()}
        tokenizer._set_special(ids)
        return None if None in ids.values() else tokenizer

    def _find_id(self, token: str | None) -> int | None:
        return None if token is None else self._tokenizer.token_to_id(token)

    def _set_special(self, special_ids: Mapping[str, int | None]) -> None:
        self.cls_token_id, self.sep_token_id = special_ids.get("cls"), special_ids.get("sep")
        self.pad_token_id, self.mask_token_id = special_ids.get("pad"), special_ids.get("mask")
        self.unk_token_id = special_ids.get("unk")

    def __len__(self) -> int:
        """Return the number of sub-words, those that were added included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def __call__(
        self,
        text: list[str],
        *,
        add_special_tokens: bool,
        split_special_tokens: bool,
        verbose: bool,  # noqa: ARG002  of transformers
    ) -> dict[str, list[list[int]]]:
        """Return the ids of each text, as a tokenizer of transformers does."""
        self._tokenizer.encode_special_tokens = split_special_tokens
        encodings = self._tokenizer.encode_batch_fast(text, add_special_tokens=add_special_tokens)
        return {"input_ids": [encoding.ids for encoding in encodings]}


def _read_token(value: Any) -> str | None:
    """Return a special token as tokenizer_config.json spells it, as text or as an object; None for none."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) and content else None
