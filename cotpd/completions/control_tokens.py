"""The tokens with which models mark turns, ends and padding: the only list of them.

A server should not return them. A token at the end of an answer is removed: the answer before it is whole. A token
inside an answer means that the model ran on into another turn; the suites reject such an answer.
"""

import re

_MAX_LENGTH = 80  # characters of a token

CONTROL_TOKEN = re.compile(
    r"""
      <[|\uff5c] [^<>\n]{1,60} [|\uff5c]>                  # <|im_end|>, <|eot_id|>, DeepSeek's full-width marks
    | <\|\w{1,40}> | <\w{1,40}\|>                          # Gemma's <|turn> and <turn|>
    | </?s> | </?(?:bos|eos|pad|unk|mask|cls|sep|eod|eot|eom|eop|sop|sos|gmask|nl)>
    | </?(?:start|begin|end)_?of_?\w{1,30}>
    | <\w{1,20}_token> | </?assistant> | <(?:end|eof)> | <im_(?:start|end)> | <endoftext>
    | <(?:unused|reserved_?|extra_id_|special_?|ctrl)_?\d{1,6}> | <0x[0-9A-F]{2}> | <SPECIAL_\d{1,6}>
    | </?(?:image|img|image_soft_token|fake_token_around_image|global-img|row_\d+_col_\d+)>
    | </?(?:tool_calls?|tool_response|function_calls?)> | <seed:\w{1,30}>
    | \[/?inst\] | <</?sys>>
    | \[/?(?-i:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\]
    | \[(?-i:IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX)\]
    | \[(?-i:BOS|EOS|PAD|UNK|MASK|CLS|SEP|EOT|EOD|EOM|gMASK|sMASK)\] | \[end\ of\ text\] | \[(?-i:DONE|END)\]
    """,
    re.IGNORECASE | re.VERBOSE,
)
_AT_END = re.compile(rf"(?:{CONTROL_TOKEN.pattern})\Z", CONTROL_TOKEN.flags)
_CUT_AT_END = re.compile(r"<[|\uff5c][\w\u2581/]{0,40}[|\uff5c]?\Z")  # a token that was itself cut off
_ROLE = re.compile(r"(?:assistant|model|gpt|bot)(?=\s*(?:\n|<|\[))", re.IGNORECASE)


def strip_control_tokens(text: str) -> str:
    """Return the text without the control tokens and blanks at its beginning and end."""
    start, end = 0, len(text.rstrip())
    token = _CUT_AT_END.search(text, max(0, end - _MAX_LENGTH), end)
    if token:
        end = token.start()

    while True:
        before = start, end
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1

        if token := CONTROL_TOKEN.match(text, start, end):
            start = token.end()
            if role := _ROLE.match(text, start, end):  # "<|im_start|>assistant": the role belongs to the token
                start = role.end()
        if token := _AT_END.search(text, max(start, end - _MAX_LENGTH), end):
            end = token.start()

        if (start, end) == before:
            return text[start:end]


def has_control_tokens(text: str) -> bool:
    """Whether the text contains a control token."""
    return CONTROL_TOKEN.search(text) is not None
