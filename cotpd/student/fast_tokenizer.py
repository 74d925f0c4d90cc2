"""A tokenizer.json read by the package `tokenizers` alone: transformers takes seconds to import.

Trade-off: only what cutting words needs; the ids of the special tokens are handed in, since which token is cls or
sep stands in files that transformers reads in a different way for each family.
"""

from collections.abc import Mapping
from pathlib import Path

from cotpd.errors import ModelError
from cotpd.student.folder_digests import REMEDY


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
        self.cls_token_id, self.sep_token_id = special_ids.get("cls"), special_ids.get("sep")
        self.pad_token_id, self.mask_token_id = special_ids.get("pad"), special_ids.get("mask")
        self.unk_token_id = special_ids.get("unk")

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
