"""How much of a data set an encoder's tokenizer can read: what it does not know becomes one and the same [UNK].

A student of such an encoder trains without an error, and can tell no word from another.
"""

import json
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from cotpd.data.records import Post

MOST_UNKNOWN = 0.1  # of the words; above it, the encoder is of other languages
MULTILINGUAL = "FacebookAI/xlm-roberta-base"
_FILE = "tokenizer.json"


def measure_unknown_share(encoder: str, posts: Iterable[Post]) -> float | None:
    """Return the share of words that hold a sign unknown to an encoder.

    Returns:
        None if its tokenizer is not at hand: nothing is downloaded for it.
    """
    file = _find_tokenizer(encoder)
    words = Counter(chain.from_iterable(post.tokens for post in posts))
    if file is None or not words:
        return None
    from tokenizers import Tokenizer  # noqa: PLC0415  of an extra

    try:
        unknown = json.loads(file.read_bytes())["model"].get("unk_token")
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # its errors have no class of their own; loading the encoder will say what is wrong
        return None
    names = list(words)
    encoded = tokenizer.encode_batch(names, add_special_tokens=False)
    count = sum(words[name] for name, pieces in zip(names, encoded, strict=True) if unknown in pieces.tokens)
    return count / words.total()


def describe_unknown_share(encoder: str, share: float | None) -> str | None:
    """Return a warning if an encoder does not know more than a few words of a data set."""
    if share is None or share <= MOST_UNKNOWN:
        return None
    return (
        f"{share:.0%} of the words hold signs that the encoder {encoder} does not know ([UNK]), and so cannot tell"
        f" apart; name a multilingual one, such as student.encoder: {MULTILINGUAL}"
    )


def _find_tokenizer(encoder: str) -> Path | None:
    """Return the tokenizer's file of an encoder that lies on this machine."""
    from cotpd.weights.cache import find_cached  # noqa: PLC0415  filelock, which a registered version lacks
    from cotpd.weights.catalogue import find_model  # noqa: PLC0415  likewise

    if find_spec("tokenizers") is None:
        return None
    folder: Path | None = Path(encoder)
    if not Path(encoder).is_dir():
        model = find_model(encoder)
        folder = find_cached(model) if model else _find_in_hub_cache(encoder)
    file = folder / _FILE if folder else None
    return file if file and file.is_file() else None


def _find_in_hub_cache(encoder: str) -> Path | None:
    """Return the folder of a hub model that was downloaded before."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  of an extra
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415  of an extra

    try:
        file = try_to_load_from_cache(encoder, _FILE)
    except HFValidationError:
        return None
    return Path(file).parent if isinstance(file, str) else None
