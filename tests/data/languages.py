"""Posts of our own in many languages, their mentions in brackets, and the words that each becomes.

``[Ada](PER)`` is a mention. The words are separated by ``|``.
"""

from typing import NamedTuple


class Language(NamedTuple):
    """A post, the rule that ``auto`` chooses for data like it, and its words by that rule."""

    name: str
    rule: str
    markup: str
    words: str


LANGUAGES = (
    Language("English", "social", "[Ada](PER) flew to [St. Louis](LOC).She smiled", "Ada|flew|to|St|.|Louis|.|She|smiled"),
    Language("German", "social", "[Jürgen](PER) wohnt in [Baden-Baden](LOC)", "Jürgen|wohnt|in|Baden-Baden"),
    Language("French", "social", "[Zoé](PER) visite l’[Élysée](LOC)", "Zoé|visite|l|’|Élysée"),
    Language("Spanish", "social", "¿Vive [Íñigo](PER) en [Cádiz](LOC)?", "¿|Vive|Íñigo|en|Cádiz|?"),
    Language("Turkish", "social", "[Ayşe](PER) [İzmir](LOC)'de", "Ayşe|İzmir|'|de"),
    Language("Vietnamese", "social", "[Lan](PER) đến [Hà Nội](LOC)", "Lan|đến|Hà|Nội"),
    Language("Ukrainian", "social", "[Дмитро](PER) їде до [Слов\u02bcянська](LOC)", "Дмитро|їде|до|Слов|\u02bc|янська"),
    Language("Greek", "social", "Η [Μαρία](PER) ζει στην [Πάτρα](LOC)", "Η|Μαρία|ζει|στην|Πάτρα"),
    Language("Persian", "social", "[سارا](PER) می\u200cرود به [تهران](LOC)", "سارا|می\u200cرود|به|تهران"),
    Language("Hindi", "social", "[मीरा](PER) [दिल्ली](LOC) गई।", "मीरा|दिल्ली|गई|।"),
    Language("Bengali", "social", "[মিতা](PER) [ঢাকা](LOC) গেল", "মিতা|ঢাকা|গেল"),
    Language("Tamil", "social", "[கவிதா](PER) [சென்னை](LOC) சென்றார்", "கவிதா|சென்னை|சென்றார்"),
    Language("Amharic", "social", "[አበበ](PER) በ [አዳማ](LOC)።", "አበበ|በ|አዳማ|።"),
    Language("Tibetan", "social", "[བཀྲ་ཤིས](PER) [ལྷ་ས](LOC)", "བཀྲ|་|ཤིས|ལྷ|་|ས"),
    Language("Chinese", "characters", "[李雷](PER)在[北京](LOC)买iPhone15", "李|雷|在|北|京|买|iPhone15"),
    Language("Japanese", "characters", "[ケンタ](PER)は[東京](LOC)へ", "ケ|ン|タ|は|東|京|へ"),
    Language("Thai", "syllables", "[มานี](PER)ไป[เชียงใหม่](LOC)", "มา|นี|ไป|เชี|ย|ง|ให|ม่"),
    Language("Lao", "syllables", "[ແກ້ວ](PER)ໄປ[ປາກເຊ](LOC)", "ແກ້|ວ|ໄປ|ປາ|ກ|ເຊ"),
    Language("Khmer", "syllables", "[សុខា](PER)ទៅ[ភ្នំពេញ](LOC)", "សុ|ខា|ទៅ|ភ្នំ|ពេ|ញ"),
    Language("Burmese", "syllables", "[မောင်မောင်](PER)[ရန်ကုန်](LOC)သွား", "မောင်|မောင်|ရန်|ကုန်|သွား"),
    Language("Korean", "syllables", "[지수](PER)는 [부산](LOC)에서 왔다", "지|수|는|부|산|에|서|왔|다"),
    Language("Arabic", "characters", "و[سمير](PER) ب[دمشق](LOC)", "و|س|م|ي|ر|ب|د|م|ش|ق"),
    Language("Hebrew", "characters", "[נועה](PER) גרה ב[חיפה](LOC)", "נ|ו|ע|ה|ג|ר|ה|ב|ח|י|פ|ה"),
)  # fmt: skip
