"""Settings of the corpus stage."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from lib.core.places import local_path
from lib.settings.base import StageSettings

Script = Literal[
    "any", "Han", "Japanese", "Korean", "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali",
    "Tamil", "Telugu", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Mongolian", "Ethiopic", "Georgian", "Armenian",
]  # fmt: skip


class ReadingLimits(StageSettings):
    """How much of a file is read: corpus, instructions, benchmarks, prompts and control text alike."""

    maximum_document_bytes: int = Field(default=2**26, ge=1_000)
    """Maximum size of a document in bytes; longer ones are quarantined. A few times this much is held in memory."""


CHINESE = ("zh", "yue", "wuu")
"""Codes of Chinese languages, which are hard to tell apart in writing."""


LANGUAGES = re.findall(
    r"\w+",
    """
    ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi fo fr fuv
    fy ga gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab kik kk km kn ko ku ky
    la lb lg lij ln lo lt ltg lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh
    se si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu zxx
    """,
)
"""Codes of the languages that py3langid tells apart; asking it takes half a second."""
OTHER_CODES = {
    "zh": "chinese mandarin zho chi cmn cn hans hant 中文 汉语 漢語",
    "yue": "cantonese 粤语 粵語",
    "en": "english eng",
    "ja": "japanese jpn jp",
    "ko": "korean kor kr",
    "de": "german deu ger",
    "fr": "french fra fre",
    "es": "spanish spa",
    "pt": "portuguese por",
    "ru": "russian rus",
    "ar": "arabic ara",
    "vi": "vietnamese vie",
    "id": "indonesian ind",
    "th": "thai tha",
    "hi": "hindi hin",
}
"""Other names of languages that are often asked for."""


def _check_languages(codes: list[str]) -> list[str]:
    for code in codes if codes != ["auto"] else []:
        if code == "auto":
            raise ValueError("auto stands alone; leave it out, or the others")
        if code not in LANGUAGES:
            first = re.split("[-_]", code.strip().lower())[0]
            meant = next((known for known, names in OTHER_CODES.items() if first in names.split()), first)
            hint = f"write {meant}" if meant in LANGUAGES else f"known codes: {', '.join(LANGUAGES)}"
            raise ValueError(f"{code!r} is no language code that py3langid knows; {hint}")
    return codes


class ReadingSettings(ReadingLimits):
    """How files are read."""

    on_broken_record: Literal["quarantine", "stop"] = "quarantine"
    """What becomes of records that cannot be read: they are quarantined and counted, or the run stops."""


class FetchSettings(ReadingSettings):
    """How sources of text are read."""

    split_documents: Literal["auto", "never"] = "auto"
    """Divide documents that are longer than `split_length` at headings of chapters (第…回, Chapter 1, Markdown's), and
    long chapters at ends of paragraphs, so that a part can be held out. HTML pages stay whole; `never` leaves all as
    they are."""
    split_length: int = Field(default=20_000, ge=1_000)
    """Length in characters from which documents are divided, and maximum length of the parts. Raise it to train on
    longer contexts."""


class CleaningSettings(StageSettings):
    """What happens to each document by itself."""

    clean: bool = True
    """Clean the text; `false` takes it as it is, for a corpus that was cleaned before: nothing is rewritten, no
    document dropped for what it is, no shared line removed. Duplicates are still removed, and documents held out."""
    repair_mojibake: bool = True
    """Repair text that was decoded in the wrong encoding (UTF-8 read as Windows-1252, Latin-1 or GBK)."""
    strip_html: bool = True
    """Remove HTML tags, scripts and styles, and decode character references. Switch it off for text about HTML."""
    page_kind: Literal["inferred", "article", "documentation"] = "inferred"
    """What HTML pages are, which decides how their main text is found: `documentation` keeps tables, lists and code and
    begins with the title; `article` (news, blogs) leaves out whatever two of three methods do not take for main text.
    Manuals are inferred from the program that made them, books from being XHTML. Set it, best for a source, when that
    goes wrong."""
    strip_control: bool = True
    """Remove control characters, colour codes, zero-width and other invisible characters."""
    unicode_form: bool = True
    """Apply NFKC, except where it changes what is said (10², ①, ㎡) and to Chinese punctuation."""
    chinese_variant: Literal["unchanged", "simplified", "traditional"] = "unchanged"
    """Write all Chinese in one variant (OpenCC). A conversion loses distinctions, so it is off by default."""
    strip_pinyin: bool = True
    """Remove readings in parentheses behind the character that they belong to, as in `訓(xùn)練`."""
    join_lines: bool = True
    """Join lines that were broken at a fixed width, within sentences, as in plain-text books and e-mails."""
    collapse_whitespace: bool = True
    """Trim lines, fold runs of spaces and of empty lines, close Chinese words. Code keeps its indentation."""
    collapse_punctuation: bool = True
    """Fold three or more of one Chinese punctuation character into one."""
    strip_boilerplate: bool = True
    """Drop lines that are nothing but navigation, copyright, calls to share or subscribe, and advertisements inside
    novels."""
    mask_email: bool = True
    """Replace e-mail addresses with `[EMAIL]`."""
    mask_id_number: bool = True
    """Replace Chinese identity numbers (18 digits with a right checksum, 15 with a date) with `[ID_NUMBER]`."""
    mask_account: bool = True
    """Replace QQ numbers and WeChat names that are called so with `[ACCOUNT]`."""
    mask_passport: bool = True
    """Replace numbers of Chinese passports that are called so with `[PASSPORT]`."""
    mask_plate: bool = True
    """Replace Chinese number plates with `[PLATE]`."""
    mask_bank_card: bool = True
    """Replace numbers of bank cards that pass Luhn's test with `[BANK_CARD]`."""
    mask_phone: bool = True
    """Replace telephone numbers with `[PHONE]`: of China, Taiwan, Hong Kong, and valid ones that begin with +."""
    mask_ip_address: bool = True
    """Replace public IPv4 and IPv6 addresses with `[IP_ADDRESS]`."""
    custom_rules: str | None = None
    """Python file with cleaning functions of your own, which run after the steps above."""
    minimum_length: int = Field(default=100, ge=1)
    """Minimum number of characters of a document after cleaning. Lower it for poems and chat."""
    maximum_broken: float = Field(default=0.01, ge=0, le=1)
    """Maximum share of characters that stand for lost ones (U+FFFD, 锟斤拷, misread UTF-8 or Chinese)."""
    target_script: Script = "Han"
    """Script that the text should be in, or `any`."""
    minimum_target_script: float = Field(default=0.2, ge=0, le=1)
    """Minimum share of a document's letters in the target script. Raise it where foreign text is unwanted."""
    maximum_symbols: float = Field(default=0.2, ge=0, le=1)
    """Maximum share of visible characters that are neither letters, digits nor punctuation. Raise it for code and
    mathematics."""
    maximum_digits: float = Field(default=0.4, ge=0, le=1)
    """Maximum share of visible characters that are digits. Raise it for tables and statistics."""
    maximum_repeated_characters: float = Field(default=0.2, ge=0, le=1)
    """Maximum share of characters that are letters or digits equal to the one before."""
    maximum_repeated_ngrams: float = Field(default=0.5, ge=0, le=1)
    """Maximum share of ten-character runs that occur earlier in the document. Raise it for songs and forms."""
    maximum_enumeration: float = Field(default=0.6, ge=0, le=1)
    """Maximum share of characters in enumerations of a dozen short items or more: lists of key words, of goods."""
    maximum_dated_lines: float = Field(default=0.5, ge=0, le=1)
    """Maximum share of lines that are a headline beside a date, in documents of five lines or more."""
    maximum_spam: float = Field(default=1.5, ge=0)
    """Maximum number of words of spam (gambling, pornography, forged papers) per 100 characters."""
    maximum_repeated_lines: float = Field(default=0.4, ge=0, le=1)
    """Maximum share of lines with letters that repeat an earlier one, in documents of ten lines or more. A line weighs
    ten characters and its own, so that headings of a reference page count for little."""
    blocked_words: str | None = None
    """UTF-8 file with words, one on each line, that count against a document."""
    maximum_blocked_words: int = Field(default=2, ge=0)
    """Maximum number of different blocked words in a document."""
    languages: Annotated[list[str], AfterValidator(_check_languages)] = Field(default=["auto"])
    """Languages (ISO 639 codes) that py3langid must find a document to be in. `auto` is Chinese where the target script
    is Han, else any; an empty list is any."""
    minimum_language: float = Field(default=0.5, ge=0, le=1)
    """Minimum probability that a document is in one of `languages`. Where Chinese is wanted, a document in which one
    character in a hundred is of a word that only Chinese has, and none is kana, counts as Chinese."""

    minimum_quality: float = Field(default=0.5, ge=0, le=1)
    """Minimum score of a document, the probability that it is good if as many were good as bad. Needs `good_examples`
    and `bad_examples`. `results/corpus/quality/manifest.json` says what each limit does to held-out examples."""

    @property
    def expected_languages(self) -> list[str]:
        """Codes of the languages that documents must be in; none when any will do."""
        if self.languages == ["auto"]:
            return list(CHINESE) if self.target_script == "Han" else []
        return self.languages


class QualitySettings(StageSettings):
    """What documents are worth, learned from examples."""

    good_examples: list[str] = Field(default_factory=list)
    """Addresses of files or folders with documents as you want them, in any format that a source of text can have. With
    `bad_examples` they switch on `minimum_quality`: each document gets a score by what it has in common with either.
    Some hundreds of each are enough; give what your sources have, not what is easy to tell apart."""
    bad_examples: list[str] = Field(default_factory=list)
    """Addresses of files or folders with documents as you do not want them."""


class SharedLineSettings(StageSettings):
    """Which lines many documents of a source share."""

    strip_shared_lines: bool = True
    """Drop running heads, notices and other lines at the borders of documents that many documents of a source share."""
    shared_line_documents: int = Field(default=10, ge=2)
    """Minimum number of documents of a source that must share a line for it to be dropped."""
    shared_line_share: float = Field(default=0.05, ge=0.001, le=1)
    """Minimum share of a source's documents that must share a line, too, for it to be dropped."""


class SourceSettings(CleaningSettings, SharedLineSettings):
    """What a source may have settings of its own for, in columns of the sheet."""

    def named_files(self) -> list[str]:
        """The files that cleaning reads beside the text."""
        return [str(local_path(path)) for path in (self.custom_rules, self.blocked_words) if path]


class SignatureSettings(StageSettings):
    """What documents are compared by."""

    near_duplicate_ngram: int = Field(default=5, ge=1, le=64)
    """Length of the runs that documents are compared by, in letters, digits or Chinese characters. 3 finds more edited
    copies."""
    near_duplicate_bands: int = Field(default=20, ge=1, le=64)
    """Number of parts of a signature; documents that agree in one are compared. More find more pairs."""
    near_duplicate_rows: int = Field(default=6, ge=1, le=32)
    """Number of values in each part of a signature. More let fewer unlike documents through to the comparison."""


class DeduplicationSettings(StageSettings):
    """Which documents count as near-duplicates."""

    near_duplicates: bool = True
    """Remove near-duplicates, too; exact ones are always removed."""
    near_duplicate_similarity: float = Field(default=0.7, gt=0, le=1)
    """Minimum estimated Jaccard similarity of n-grams at which two documents are near-duplicates."""


class SplitSettings(StageSettings):
    """Which documents are held out."""

    validation_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of documents held out from training, chosen by a hash of their text; of a source of several documents, at
    least one."""


class DecontaminationSettings(StageSettings):
    """Which training documents go because they repeat what models are measured on."""

    decontaminate: bool = False
    """Remove training documents that share a long n-gram with validation text, instructions or benchmarks. Each source
    then depends on all of these: editing an instruction re-runs both training stages."""
    decontamination_ngram: int = Field(default=50, ge=8, le=1000)
    """Length of such an n-gram, in letters, digits or Chinese characters."""
    decontaminate_instructions: bool = True
    """Count the instruction sets among the texts that must not be repeated."""
    benchmarks: list[str] = Field(default_factory=list)
    """Addresses of files with benchmarks, in any format that a source of text can have, that must not be repeated."""

    @property
    def training_folder(self) -> str:
        """Folder of results/corpus/ with the shards that are trained on."""
        return "decontaminated" if self.decontaminate else "train"


AS_IT_IS: dict[str, Any] = {
    **{name: False for name, field in SourceSettings.model_fields.items() if field.annotation is bool},
    **{
        name: 1.0
        for name in SourceSettings.model_fields
        if name.startswith("maximum_") and name != "maximum_blocked_words"
    },
    "chinese_variant": "unchanged",
    "custom_rules": None,
    "blocked_words": None,
    "languages": [],
    "target_script": "any",
    "minimum_length": 1,
    "minimum_quality": 0.0,
    "maximum_spam": 100.0,
}
"""Settings of a source whose text nothing changes."""


class PreparationSettings(
    FetchSettings,
    SourceSettings,
    QualitySettings,
    SignatureSettings,
    DeduplicationSettings,
    SplitSettings,
    DecontaminationSettings,
):
    """All that shapes the finished shards."""

    shards: int = Field(default=4, ge=1, le=10_000)
    """Number of files that each source is cut into. Raise it for large text: they are processed in parallel."""


class CorpusSettings(PreparationSettings):
    enabled: bool = True
    """Read a corpus; `false` does without one: no tokens are learned, no stage 1 is trained."""
    sources: str = "config/corpus.tsv"
    """Sheet with one row per source of text."""

    def of_source(self, own: Mapping[str, Any]) -> Self:
        """These settings for one source, its `own` in the place of the general ones.

        Where text is not cleaned, every setting of cleaning and of shared lines is at the value that changes nothing.
        """
        settings = self.model_copy(update=dict(own))
        return settings if settings.clean else settings.model_copy(update=AS_IT_IS)
