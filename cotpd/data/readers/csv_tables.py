"""Tables of CSV: separator, encoding and columns, the latter by their names in a dozen languages.

The separator (comma, semicolon, tab) is that of the header, and Excel's `sep=;` line is obeyed. Excel's "Unicode
text" is UTF-16, which is read here, as Excel offers little else; other encodings are refused with the command to
convert.
"""

import csv
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.text_files import iterate_wide_text
from cotpd.data.readers.values import RowError
from cotpd.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
# The names of columns, in lower case and without accents: English, German, French, Spanish, Italian, Portuguese,
# Dutch, Polish, Turkish, Russian and Ukrainian, Chinese, Japanese, Korean. The first that a header has is read.
_LABELS = (
    "label etikett etikette etiquette etiqueta etichetta etykieta etiket метка мітка 标签 標籤 标注 ラベル 레이블"
)
_ALIASES = {
    "text": "text post tweet content sentence_text message body texte texto testo tekst metin "
    "текст 文本 内容 テキスト 本文 텍스트 본문",
    "word": "word token wort mot palabra parola palavra woord slowo kelime слово 词 词语 字 単語 단어",
    "sentence": "sentence sentence_id sentenceid sent_id sent satz phrase frase oracion zin zdanie cumle "
    "предложение речення 句子 文 문장",
    "tag": f"tag ner_tag ner bio iob {_LABELS} тег タグ 태그",
    "start": "start begin start_offset start_char anfang beginn debut inicio inizio comeco poczatek baslangic "
    "начало початок 开始 起始 開始 시작",
    "end": "end stop end_offset end_char ende fin fine fim einde koniec bitis конец кінець 结束 終了 끝",
    "type": "type label entity_type tag class typ tipo tur kategorie categorie categoria kategoria "
    f"тип 类型 種類 유형 {_LABELS}",
    "id": "id post_id guid doc_id text_id nummer numero numer номер 编号 番号 번호",
    "surface": "mention surface surface_form mention_text entity_text span_text",
}
_OF_POSTS = f"{_LABELS} sentiment class category stimmung klasse classe clase тональность класс 情感 类别 감정"
HEADER = "Name them text and entities; text and label; text, start, end and type; or sentence, word and tag."
_MOST = 1 << 24  # characters of a cell


class Table(NamedTuple):
    """The kind of a table (posts, mentions or tokens), its separator and its columns by our names for them."""

    kind: str
    separator: str
    columns: dict[str, int]

    def get(self, line: "Line", name: str) -> str:
        """Return the cell of a column; it is empty if the table or the row has none."""
        index = self.columns.get(name)
        return line.cells[index] if index is not None and index < len(line.cells) else ""

    def join(self, lines: Iterable["Line"]) -> str:
        """Return rows as they stand in the file, for the quarantine table."""
        return "\n".join(self.separator.join(line.cells) for line in lines)


class Line(NamedTuple):
    """A row of cells and the line on which it begins."""

    number: int
    cells: list[str]


def open_table(path: Path, name: str) -> tuple[Table, Line, Iterator[Line]]:
    """Return the description of a table, its header, and every row that is not empty.

    Raises:
        DataError: The header has no columns that are read.
    """
    lines = _split_lines(iterate_wide_text(path, name))
    csv.field_size_limit(_MOST)
    first = next(lines, "")
    skipped = 0
    if first.lower().startswith("sep="):
        first, skipped = next(lines, ""), 1
    table = describe_header(first)
    if table is None:
        raise DataError(f"{name}: {explain_header(first)}", HEADER)
    rows = _iterate_rows(chain([first], lines), table.separator, skipped)
    return table, next(rows), rows


def _iterate_rows(lines: Iterator[str], separator: str, skipped: int) -> Iterator[Line]:
    reader = csv.reader(lines, delimiter=separator)
    number = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = [f"\0{error}"]  # the row is refused with this reason
        if any(cell.strip() for cell in cells):
            yield Line(number + skipped, cells)
        number = reader.line_num + 1


def _split_lines(pieces: Iterable[str]) -> Iterator[str]:
    """Split pieces of text into lines with their ends, as csv needs them."""
    pending = ""
    for piece in pieces:
        *lines, pending = (pending + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
    if pending:
        yield pending


def describe_header(header: str) -> Table | None:
    """Return what a header says of its table; None if it has no columns of annotation."""
    for separator in sorted(SEPARATORS, key=header.count, reverse=True):
        names = [_normalize(name) for name in header.strip("\r\n").split(separator)]
        if len(names) > 1 and (table := _describe_names(names, separator)) is not None:
            return table
    return None


def explain_header(header: str) -> str:
    """Return what is wrong with a header that has no columns of annotation."""
    return f"no columns of annotation in {header.strip()[:80]!r}"


def _normalize(name: str) -> str:
    """Return a column's name in lower case, with _ for blanks, and without quotes and accents."""
    plain = _strip_accents(name.strip().strip('"').lower())
    return plain.replace(" ", "_").replace("#", "id").replace("_id_", "_id")


def _strip_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("ı", "i"))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _describe_names(names: Sequence[str], separator: str) -> Table | None:
    columns = {own: _find(names, aliases) for own, aliases in _ALIASES.items()}
    present = {own: index for own, index in columns.items() if index is not None}
    plain = {name: index for index, name in enumerate(names) if name}
    label = _find(names, _OF_POSTS)
    if "text" not in present and "word" not in present and label is not None and "sentence" in present:
        present["text"] = present["sentence"]
    if "text" in present:
        plain |= {name: present[name] for name in ("text", "id") if name in present}
    if "text" in present and ("entities" in plain or "relations" in plain):
        return Table("posts", separator, plain)
    if {"text", "start", "end", "type"} <= set(present):
        return Table("mentions", separator, present)
    if {"word", "tag"} <= set(present):
        return Table("tokens", separator, present)
    if "text" in present and label is not None and not {"start", "end"} & set(present):
        return Table("posts", separator, plain | {"label": label})
    return None


def _find(names: Sequence[str], aliases: str) -> int | None:
    """Return the column with the first of some names."""
    return next((names.index(alias) for alias in map(_strip_accents, aliases.split()) if alias in names), None)


def check_width(line: Line, header: Line) -> None:
    """Refuse a row that is none of CSV, or has another number of cells than the header.

    Raises:
        RowError: It is one.
    """
    if line.cells[0].startswith("\0"):
        raise RowError(f"not a row of CSV: {line.cells[0][1:]}", "Mend its quotes.")
    if len(line.cells) != len(header.cells):
        raise RowError(
            f"the row has {format_count(len(line.cells), 'cell')} and the header {len(header.cells)}",
            "Quote cells that hold a separator.",
        )


def group_lines(lines: Iterator[Line], get_key: Callable[[Line], str]) -> Iterator[list[Line]]:
    """Put rows together that follow each other and have the same key."""
    group: list[Line] = []
    for line in lines:
        if group and get_key(line) != get_key(group[0]):
            yield group
            group = []
        group.append(line)
    if group:
        yield group
