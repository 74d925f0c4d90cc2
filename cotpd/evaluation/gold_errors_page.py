"""One self-contained page on suspected gold errors: a key accepts or rejects each, and corrections come out.

Posts are untrusted text. They stand in the page as JSON, of which nothing can end the element, its script puts
them in as text, and the page's policy lets no other script run.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cotpd.data.label_format import compute_text_digest, format_labels, map_posts
from cotpd.data.records import Post
from cotpd.escaping import make_printable
from cotpd.evaluation.gold_errors import Suspect, name_label_key
from cotpd.files import write_atomically

SUSPECTS_PAGE = "suspected_errors.html"  # in the folder of an evaluation
_NAME = "gold_errors_page"


def write_suspects_page(suspects: Sequence[Suspect], posts: Mapping[str, Sequence[Post]], path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        suspects: In the order in which they are shown.
        posts: By split; those of the suspects are among them.
        path: The page.

    Raises:
        StorageError: The disk is full.
    """
    page = render_suspects_page(suspects, posts)
    with write_atomically(path) as partial:
        partial.write_text(page, "utf-8")


def render_suspects_page(suspects: Sequence[Suspect], posts: Mapping[str, Sequence[Post]]) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("cotpd.evaluation", "."), autoescape=True, undefined=StrictUndefined
    )
    script = environment.get_template(f"{_NAME}.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    splits = list(dict.fromkeys(suspect.split for suspect in suspects))
    return environment.get_template(f"{_NAME}.html.j2").render(
        count=len(suspects),
        splits=" and ".join(splits) or "no split",
        split_names=splits,
        data=_gather_data(suspects, posts),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _gather_data(suspects: Sequence[Suspect], posts: Mapping[str, Sequence[Post]]) -> dict[str, Any]:
    """Return what the page's script reads: suspects, and the labels of their posts as a correction writes them."""
    post_by_key = map_posts(posts)
    shown, labels = [], {}
    for suspect in suspects:
        post = post_by_key[suspect.split, suspect.id]
        name = json.dumps([suspect.split, suspect.id], ensure_ascii=False, separators=(",", ":"))
        labels[name] = _describe_post(post, suspect)
        texts = {"text": make_printable(suspect.text), "reason": make_printable(suspect.reason)}
        shown.append({**suspect.model_dump(), **texts, **_describe_decision(suspect)})
    digest = hashlib.sha256(repr(shown).encode("utf-8", "surrogatepass")).hexdigest()
    return {"suspects": shown, "posts": labels, "key": f"cotpd-suspects-{digest[:16]}"}


def _describe_post(post: Post, suspect: Suspect) -> dict[str, Any]:
    """Return the part of a post's labels that an accepted suggestion replaces, and the digest of its text."""
    field = name_label_key(suspect)
    labels = format_labels(post).get(field)
    return {"field": field, "labels": labels, "text_sha256": compute_text_digest(post.text)}


def _describe_decision(suspect: Suspect) -> dict[str, Any]:
    """Return the key under which a decision is kept, and the number of the relation in its post."""
    change = [suspect.split, suspect.example, suspect.removed, suspect.added]
    number = suspect.example.rpartition("#")[2] if suspect.pair else ""
    return {"key": json.dumps(change), "index": int(number) if number else None}
