"""Reasoning that a model writes down before its answer: found by its marks and removed.

Trade-off: the marks of some twenty models are known by name. What a model merely says stays ("the post jokes about
the <think> tag"): a mark in quotation marks, or inside a line and followed by a word such as "tag", is a mention.
A model that thinks aloud without any mark is not noticed here.
"""

import re

_NAME = (
    r"(?:(?:ant|inner|internal|hidden)[_-]?)?"
    r"(?:think(?:ing|s)?|thoughts?|reason(?:s|ing)?|reflect(?:ions?)?|scratch_?pad|analysis|deliberation|rationale"
    r"|monologue|chain[_-]of[_-]thoughts?|cot)"
    r"(?:[_-](?:process|content|steps?|block|trace))?"
)
_TAG = re.compile(
    rf"""
      (?:<|&lt;|\uff1c)\s?(?P<close1>/?)\s?(?:\w{{1,20}}:)?(?P<name1>{_NAME})
      (?:\s[^<>\n=]{{1,40}}=[^<>\n]{{0,200}})?\s?(?:>|&gt;|\uff1e)
    | \[(?P<close2>/?)(?P<name2>think(?:ing)?|thoughts?|reasoning)\]
    | \u25c1(?P<close3>/?)(?P<name3>{_NAME})\u25b7                       # Kimi
    | <[|\uff5c](?:(?P<end4>end)|begin|start)?_?(?:of_)?(?P<close4>/?)(?P<name4>{_NAME})
      _?(?:(?P<end5>end)|begin|start)?[|\uff5c]>
    | <\|channel>(?P<name6>thought|analysis)\b | (?P<close6><channel\|>)  # Gemma
    | (?P<name7><\|inner_prefix\|>) | (?P<close7><\|inner_suffix\|>)      # Apertus
    | <details\b[^<>]{{0,100}}\btype=["']?(?P<name8>reasoning)[^<>]{{0,200}}>  # Open WebUI
    | (?P<close8></details>)
    | \A\s*(?P<name9>here(?:'s|\u2019s|\ is)\ my\ thought\ process:)  # Granite
    | (?P<close9>here(?:'s|\u2019s|\ is)\ my\ response:)
    | \A\s*(?P<name10>thinking\.\.\.)[ \t]*$ | ^[ ]{{0,8}}(?P<close10>\.\.\.done\ thinking\.)[ \t]*$     # Ollama
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_PAIRS = {"6", "7", "8", "9", "10"}  # groups of marks that close only what the same pair opened
_EMPTY = re.compile(rf"<\s?(?:{_NAME})\s?/>", re.IGNORECASE)
_QUOTES = tuple("\"'“‘”’`(")
_SPOKEN_OF = re.compile(
    r"[,;:)!?]|\.(?!\s*\n)|\s(?:and|or|&|/)\s[\"'“‘`]?(?:<|\[|&lt;)"
    r"|\s(?:html |xml |ai )?(?:tag|token|block|section|marker|element|bracket)s?\b",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"(?:<\|channel\|>\s*|\A\s*(?=\w+\s*<\|message\|>))(?P<channel>\w+)"
    r"(?:[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>)?"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|channel|call)\|>")
_COLLAPSED = re.compile(r"\A\s*(?:analysis|commentary)(?=[A-Z])(?:.*assistant\s?final)?", re.DOTALL)
_WRAPPER = re.compile(r"<(/?)(?:final_)?(?:answer|response|output|solution)>", re.IGNORECASE)


def remove_reasoning(text: str) -> tuple[str, bool]:
    """The text without its reasoning, and whether all of it ended; of reasoning that did not, nothing is left."""
    text, finished = _take_final_channel(text)
    if finished:
        text, finished = _remove_blocks(_EMPTY.sub("", text))
    return text, finished


def unwrap_answer(text: str) -> str:
    """What stands between ``<answer>`` and ``</answer>`` where these begin or end a text; else the text."""
    tags = list(_WRAPPER.finditer(text))
    if tags and tags[-1][1] and tags[-1].end() == len(text):
        start = max((tag.end() for tag in tags if not tag[1]), default=0)
        return text[start : tags[-1].start()]
    return text[tags[0].end() :] if tags and tags[0].start() == 0 and not tags[0][1] else text


def _take_final_channel(text: str) -> tuple[str, bool]:
    """The last message of the channel ``final``, where a model writes in channels (gpt-oss)."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        if not (collapsed := _COLLAPSED.match(text)):
            return text, True
        finished = collapsed.group().rstrip().endswith("final")  # the marks themselves were removed by the server
        return (text[collapsed.end() :], True) if finished else ("", False)
    finals = [match for match in channels if match["channel"] == "final"]
    if not finals:
        return "", False
    end = _CHANNEL_END.search(text, finals[-1].end())
    return text[finals[-1].end() : end.start() if end else len(text)], True


def _remove_blocks(text: str) -> tuple[str, bool]:
    """Remove what stands between two marks, and all before a closing one that has no opening one."""
    pieces: list[str] = []
    open_names: list[str] = []
    at, mentioned = 0, False
    for tag in _TAG.finditer(text):
        name, closes = _read_tag(tag)
        if not open_names and _is_mention(text, tag, after_mention=mentioned and closes):
            mentioned = True
            continue
        if closes and name in _PAIRS and name not in open_names:
            continue  # plain words, such as "here is my response:", which may stand in any text
        if not open_names:
            pieces = [] if closes else [*pieces, text[at : tag.start()]]
        if not closes:
            open_names.append(name)
        elif name in open_names:
            del open_names[open_names.index(name) :]
        else:  # the end of what began in the prompt, or of another spelling
            open_names.clear()
        at = tag.end()
    return ("", False) if open_names else ("".join([*pieces, text[at:]]), True)


def _read_tag(tag: re.Match[str]) -> tuple[str, bool]:
    """A mark's name, one for all its spellings, and whether it closes."""
    groups = {group: value for group, value in tag.groupdict().items() if value}
    closes = any(group.startswith(("close", "end")) for group in groups)
    pair = (tag.lastgroup or "").lstrip("closenamd")
    if pair in _PAIRS:
        return pair, closes
    return next(value for group, value in groups.items() if group.startswith("name")).lower()[:5], closes


def _is_mention(text: str, tag: re.Match[str], *, after_mention: bool) -> bool:
    """Whether a text speaks of a mark instead of using it."""
    nearest = max(0, tag.start() - 200)
    before = text[max(nearest, text.rfind("\n", nearest, tag.start()) + 1) : tag.start()]
    after = text[tag.end() : tag.end() + 40]
    if (tag["name2"] or "").islower() and not tag["close2"] and before.strip():
        return True  # I [think] he meant London
    if before[-1:] in _QUOTES and after[:1] in _QUOTES and before and after:
        return True
    if not before.strip():  # at the beginning of a line, where only "<think>: a tag that ..." is a mention
        return bool(re.match(r" ?[:,] ?\w| tags?\b", after))
    if after_mention and after.strip() and not after.startswith("\n"):
        return True
    return (before[-1].isspace() or before[-1] in _QUOTES) and bool(_SPOKEN_OF.match(after))
