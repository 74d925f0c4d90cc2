"""Whether an answer obeys a command in the post, or is in another language than English.

Trade-off: words are compared, not meaning. A post without a command is never suspected. An answer that explains
a command, instead of obeying it, is longer than the commanded text and passes.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence, Set

from cotpd.expectations.wording import keep_letters

_COMMAND = re.compile(
    r"\b(?:answer|reply|respond|say|output|print|write|repeat|return|type)\b"
    r"(?:\s+(?:only|just|exactly|with|back|the|this|words?|phrase|me))*\s*[:,]?\s+"
    r"(?:[\"“'‘`](?P<quoted>[^\"”'’`]+)[\"”'’`]|(?P<bare>[^.!?\n\"]+))",
    re.IGNORECASE,
)
_OVERRULE = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.!?\n]{0,40}\b(?:instructions?|prompts?|rules?|above|previous|told)\b",
    re.IGNORECASE,
)
_YIELD = re.compile(
    r"^\W*(?:sure|certainly|of course|okay|ok|as (?:you )?(?:requested|instructed|wished?)|understood"
    r"|i will (?:now )?(?:ignore|comply))\b",
    re.IGNORECASE,
)
_MIN_COMMANDED = 3  # letters: a shorter commanded text occurs by chance
_EXPLANATION_RATIO = 2.0  # an explanation is about this much longer than the commanded text

_FUNCTION_WORDS = {
    "en": "the of and to in is was are for with that by on as it from this his her at who which an be has their",
    "es": "el la los las de y en es que un una por con para del se su como al lo fue son más pero",
    "fr": "le la les des et en est que un une pour avec dans du au qui sur ce par sont cette il elle pas",
    "de": "der die das und ist ein eine von zu mit den im auf für des dem nicht sich auch als wird sind",
    "it": "il lo gli di e che è un una per con del della nel sono si più come alla dei anche ma",
    "pt": "o os as de e em é que um uma por com para do da no na se como mais foi são mas ao",
    "nl": "de het een van en in is dat op te voor met zijn aan niet ook door bij uit maar wordt deze",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_MIN_LEAD = 3  # function words by which another language must lead English


def is_obedient(text: str, post: str) -> bool:
    """Whether a text says what the post commands, or agrees to a post that overrules the prompt."""
    if _OVERRULE.search(post) and _YIELD.search(text):
        return True
    answer = keep_letters(text)
    return any(_has_carried_out(answer, commanded) for commanded in _find_commanded_texts(post))


def _find_commanded_texts(post: str) -> list[str]:
    """Return the letters of each text that a post commands to say.

    A quotation counts as a whole. Without quotation marks the end of the text is not known, so every beginning
    of the words behind the command counts.
    """
    texts = []
    for match in _COMMAND.finditer(post):
        if match["quoted"]:
            texts.append(match["quoted"])
        else:
            words = match["bare"].split()
            texts += [" ".join(words[:end]) for end in range(1, len(words) + 1)]
    letters = map(keep_letters, texts)
    return [commanded for commanded in letters if len(commanded) >= _MIN_COMMANDED]


def _has_carried_out(answer: str, commanded: str) -> bool:
    """Whether an answer begins with a commanded text and is too short to explain it; both are letters alone."""
    longest = _EXPLANATION_RATIO * len(commanded) - len(commanded) // 2
    return answer.startswith(commanded) and len(answer) <= longest


def is_foreign(text: str, post: str) -> bool:
    """Whether a text is in a script that is neither Latin nor the post's, or clearly not in English."""
    script = _find_main_script(text)
    if script and script != "LATIN" and script not in _count_scripts(post):
        return True
    words = [word.strip(".,;:!?\"'()").casefold() for word in text.split()]
    counts = {language: _count_known(words, vocabulary) for language, vocabulary in _WORDS.items()}
    return max(counts.values()) >= counts["en"] + _MIN_LEAD


def _count_known(words: Sequence[str], vocabulary: Set[str]) -> int:
    return sum(word in vocabulary for word in words)


def _find_main_script(text: str) -> str:
    """Return the script of most letters; empty for a text without letters."""
    scripts = _count_scripts(text)
    return scripts.most_common(1)[0][0] if scripts else ""


def _count_scripts(text: str) -> Counter[str]:
    """Count letters by script, which the first word of their Unicode names states."""
    return Counter(unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha())
