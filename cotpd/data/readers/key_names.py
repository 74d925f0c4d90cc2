"""The keys that a row may hold, and other tools' names for them: an unknown key never costs an annotation."""

import difflib
import re
from collections.abc import Iterable, Mapping

from cotpd.data.readers.values import RowError

ROW_KEYS = ("id", "text", "tokens", "image", "entities", "relations", "label", "caption", "knowledge")
ENTITY_KEYS = ("start", "end", "type", "text")
RELATION_KEYS = ("head", "tail", "label")

# Other tools' names for a key, in lower case and without signs.
_ENTITY_ALIASES = {
    "start": "begin from b s startoffset startchar startidx startindex startpos beginoffset offsetstart charstart",
    "end": "stop to e endoffset endchar endidx endindex endpos stopoffset offsetend charend finish",
    "type": "label labels labelname tag tags nertag ner class category kind entity entitygroup entitytype "
    "entitylabel netype annotation",
    "text": "word mention surface surfaceform phrase value name string substring span token",
}
_RELATION_ALIASES = {
    "head": "h from fromid source sourceid src subject subj arg1 e1 headid headspan entity1 left parent start",
    "tail": "t to toid target targetid dst object obj arg2 e2 tailid tailspan entity2 right child end",
    "label": "type relation rel relationtype reltype predicate class category tag kind name property",
}
_LABEL_ALIASES = "labels labelname class classname category sentiment polarity stance target tag annotation gold y"
_TEXT_ALIASES = "content sentence sent body tweet post message caption_text full_text words data document doc"
# Words in the keys under which other tools keep annotation; weak ones count where the value is a list or object.
_STRONG = """
label labels labeled labelled tag tags ner nertags bio iob iob2 bioes bilou annotation annotations entity entities
ent ents span spans mention mentions chunk chunks relation relations rel rels triple triples triplet triplets
spo gold golden
"""
_WEAK = """
class classes category categories type types target targets output outputs prediction predictions completion
completions result results h t head tail subject object subj obj ne nes evidence annotated sentences
"""
_INNOCENT = ({"hash", "tags"}, {"user", "mentions"}, {"lang", "tag"}, {"language", "tag"})


def refuse_unknown_keys(row: Mapping[str, object], keys: tuple[str, ...], owner: str) -> None:
    """Refuse an unknown key of an entity or a relation: the annotation may stand under it.

    Args:
        row: The entity or the relation.
        keys: ENTITY_KEYS, RELATION_KEYS, or those of a correction.
        owner: The row's name in the message.

    Raises:
        RowError: There is such a key; the message names the key that was probably meant.
    """
    aliases = {ENTITY_KEYS: _ENTITY_ALIASES, RELATION_KEYS: _RELATION_ALIASES}.get(keys, {})
    for key in row:
        if key not in keys:
            meant = _find_alias(key, aliases) or _find_similar(key, keys, 0.6)
            if meant is None or meant in row:
                raise RowError(f"unknown key {key!r} in {owner}", f"It has {', '.join(keys)}; leave {key!r} out.")
            raise RowError(f"unknown key {key!r} in {owner}; did you mean {meant!r}?", f"Rename it to {meant!r}.")


def refuse_wrapped_rows(row: Mapping[str, object]) -> None:
    """Refuse an object that is no row and holds a list of them, as some programs wrap all posts of a file.

    Raises:
        RowError: It is such an object; the remedy is the command that unwraps it.
    """
    has_text = any(isinstance(value, str) and " " in value for value in row.values())
    if has_text or {"text", "tokens"} & set(row):
        return
    lists = {
        key: value
        for key, value in row.items()
        if key not in ROW_KEYS and isinstance(value, list) and value and isinstance(value[0], dict | list)
    }
    for key, rows in lists.items() if len(lists) == 1 else ():
        raise RowError(
            f"the object is no post; it holds a list of {len(rows)} under {key!r}",
            f"Write that list alone: jq '.{key}' FILE > train.json",
        )


def explain_missing_text(row: Mapping[str, object]) -> str:
    """Return the remedy for a row without text: to rename the key that probably holds it, or to add the text."""
    alias = next((key for key in row if key.lower() in _TEXT_ALIASES.split()), None)
    if alias is None:
        return "Give the post's text, or its tokens."
    return f"Rename {alias!r} to {'tokens' if isinstance(row[alias], list) else 'text'!r}."


def find_label_alias(keys: Iterable[str]) -> str | None:
    """Return the key under which another tool may have written the label of a post; None if there is none."""
    return next((key for key in keys if _find_alias(key, {"label": _LABEL_ALIASES})), None)


def list_ignored_keys(row: Mapping[str, object]) -> list[str]:
    """List the keys of a row that are not read, such as its language or author.

    Raises:
        RowError: A key looks like a misspelt key or like annotation.
    """
    ignored = [key for key in row if key not in ROW_KEYS]
    for key in ignored:
        meant = _find_meant(key, row[key])
        if meant is not None and meant not in row:
            raise RowError(f"unknown key {key!r}; did you mean {meant!r}?", f"Rename it to {meant!r}.")
        if _may_hold_annotation(key, row[key]):
            raise RowError(
                f"unknown key {key!r}, which looks like annotation",
                'Write "entities": [{"start": 0, "end": 3, "type": "PER"}], "relations" or "label",'
                " or leave it out.",
            )
    return ignored


def _find_meant(key: str, value: object) -> str | None:
    """Return the key of a row that ``key`` misspells; a word under another tool's name for a label is one."""
    keys = ROW_KEYS if isinstance(value, str) else [name for name in ROW_KEYS if name != "label"]
    meant = _find_similar(key, keys, 0.8)
    if meant or not isinstance(value, str) or not _split_words(key) & set(_STRONG.split()):
        return meant
    return "label" if find_label_alias([key]) else None


def _may_hold_annotation(key: str, value: object) -> bool:
    """Whether another tool may have written its annotation under a key."""
    words = _split_words(key)
    if isinstance(value, bool) or words in _INNOCENT:
        return False
    if words & set(_STRONG.split()):
        return len(words) == 1 or not isinstance(value, int | float)
    return bool(words & set(_WEAK.split())) and isinstance(value, list | dict)


def _split_words(key: str) -> set[str]:
    """Split ner_tags, nerTags and NER-tags into their words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d?|\d+", key)}


def _find_alias(key: str, aliases: Mapping[str, str]) -> str | None:
    """Return the key that other tools call ``key``."""
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return next((name for name, spellings in aliases.items() if plain in spellings.split()), None)


def _find_similar(key: str, keys: Iterable[str], cutoff: float) -> str | None:
    """Return the key that ``key`` may misspell; ``cutoff`` is the least similarity, up to 1."""
    matches = difflib.get_close_matches(key.strip().lower(), list(keys), 1, cutoff)
    return matches[0] if matches else None
