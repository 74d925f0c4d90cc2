"""The way in which a data set's text becomes words: chosen with the data, and carried by every student of it.

A student that reads other words than it learnt finds other mentions, silently. So prepare writes the choice beside
the posts, training writes it into the student's card, and whatever reads text for a student asks its card.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cotpd.data.records import Entity, Post, Span, TextRule, WordSplitting
from cotpd.data.tokenization import Token, find_words, join_tokens, tokenize
from cotpd.errors import DataError


class TextInWords(NamedTuple):
    """A text whose words a client gave, as characters of the text; spans of it count words."""

    text: str
    offsets: tuple[Span, ...]

    @classmethod
    def from_words(cls, words: Sequence[str], text: str | None = None) -> "TextInWords":
        """Join words by blanks, or find them in the text that they were taken from.

        Raises:
            DataError: There is no word, one is blank, or the text does not hold them in their order.
        """
        remedy = "Give words as a list of strings, none of them empty."
        is_list = isinstance(words, list | tuple)
        if not is_list or not words or not all(isinstance(word, str) and word for word in words):
            raise DataError("the tokens are no list of words", remedy)
        if not isinstance(text, str):
            joined, offsets = join_tokens(words)
            return cls(joined, tuple(offsets))
        try:
            tokens = find_words(words, text)
        except ValueError as error:
            raise DataError(str(error), "Leave text out, or mend the tokens.") from None
        return cls(text, tuple((token.start, token.end) for token in tokens))

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self.text[start:end] for start, end in self.offsets)

    def find_characters(self, span: Span) -> Span:
        """Return the characters of a span of words."""
        return self.offsets[span[0]][0], self.offsets[span[1] - 1][1]


Text = str | Sequence[str] | Mapping[str, Any] | TextInWords
"""A text, its words in a list, or an object with "text", "tokens" or both."""


def read_text(text: Text) -> str | TextInWords:
    """Return a text, with its words if they were given.

    Raises:
        DataError: It is neither text nor words.
    """
    if isinstance(text, str | TextInWords):
        return text
    if is_empty(text):
        return ""
    if isinstance(text, list | tuple):
        return TextInWords.from_words(text)
    if isinstance(text, Mapping) and text.get("tokens") is not None:
        return TextInWords.from_words(text["tokens"], text.get("text"))
    if isinstance(text, Mapping) and isinstance(text.get("text"), str):
        return str(text["text"])
    raise DataError(f"{text!r} is no text", 'Give strings, lists of words, or {"tokens": [...]}.')


def is_empty(text: Any) -> bool:
    """Return whether a post was given as a list of no words: no mentions, as for blank text, and no error."""
    words, content = (text.get("tokens"), text.get("text")) if isinstance(text, Mapping) else (text, None)
    is_blank = content is None or (isinstance(content, str) and not content.strip())
    return isinstance(words, list | tuple) and not words and is_blank


SOCIAL = WordSplitting()  # of students of earlier releases


def split_text(text: str, words: WordSplitting) -> list[Token]:
    """Split text that comes without words."""
    return tokenize(text, words.text_rule)


def split_post_anew(post: Post, rule: TextRule) -> Post | None:
    """Return a post with the words of a rule; None if a mention does not begin and end with one of them."""
    tokens = tokenize(post.text, rule)
    spans = tuple((token.start, token.end) for token in tokens)
    if spans == post.offsets:
        return post
    starts = {token.start: index for index, token in enumerate(tokens)}
    ends = {token.end: index + 1 for index, token in enumerate(tokens)}
    entities: list[Entity] = []
    for entity in post.entities:
        start, end = starts.get(post.offsets[entity.start][0]), ends.get(post.offsets[entity.end - 1][1])
        if start is None or end is None:
            return None
        entities.append(entity.model_copy(update={"start": start, "end": end}))
    words = tuple(token.text for token in tokens)
    return post.model_copy(update={"tokens": words, "offsets": spans, "entities": tuple(entities)})
