import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.files.decoding import Decoder, guess_encoding

CHINESE = "话说天下大势，分久必合，合久必分。"


def decode(data: bytes, size: int = 1 << 20) -> tuple[str, str, int]:
    decoder = Decoder()
    text = "".join(decoder.decode(data[start : start + size]) for start in range(0, len(data), size))
    return text + decoder.finish(), decoder.encoding, decoder.undecodable_bytes


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_tells_the_encoding(encoding: str, name: str) -> None:
    assert decode(CHINESE.encode(encoding)) == (CHINESE, name, 0)


def test_big_endian_utf16() -> None:
    assert decode(b"\xfe\xff" + CHINESE.encode("utf-16-be")) == (CHINESE, "utf-16", 0)


TRADITIONAL = "話說天下大勢，分久必合，合久必分。這是一個很長的故事，我們來看他們是怎麼說的。"


@pytest.mark.parametrize("encoding", ["big5", "cp950"])
def test_big5_and_gbk_of_the_same_text_are_told_apart(encoding: str) -> None:
    assert decode(TRADITIONAL.encode(encoding)) == (TRADITIONAL, "cp950", 0)
    assert decode(TRADITIONAL.encode("gbk")) == (TRADITIONAL, "gb18030", 0)
    # After much ASCII, too, and in small blocks.
    text = "a" * 5000 + "\n" + TRADITIONAL * 3
    assert decode(text.encode(encoding), size=100) == (text, "cp950", 0)


def test_characters_of_hong_kong() -> None:
    text = TRADITIONAL + "佢哋喺嗰度啲嘢咗冇" * 2
    assert decode(text.encode("big5hkscs"))[:2] == (text, "big5hkscs")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["Plain text, no mark.\n" * 9, TRADITIONAL, f'{{"text": "{CHINESE}"}}\n', CHINESE * 9999]
)
def test_utf16_without_a_byte_order_mark(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == (text, encoding, 0)


def test_nul_bytes_are_no_utf16() -> None:
    assert decode(b"a\0b\0\0c" + b"text " * 9)[1] == "ascii"
    assert decode(("a\0b" + CHINESE).encode())[1] == "utf-8"
    assert decode(bytes(100))[1] == "ascii"


def test_lone_surrogates_are_undecodable() -> None:
    for data in (CHINESE.encode() + b"\xed\xa0\x80", b"\xff\xfe" + CHINESE.encode("utf-16-le") + b"\x00\xd8a\0"):
        text, _, undecodable = decode(data)
        assert undecodable >= 2
        assert text.startswith(CHINESE + "\ufffd")
        assert text.encode()


def test_plain_ascii() -> None:
    assert decode(b"a,b\r\n") == ("a,b\r\n", "ascii", 0)
    assert decode(b"") == ("", "ascii", 0)


def test_ascii_comes_first_and_gb18030_later() -> None:
    text = "a" * 100 + CHINESE
    assert decode(text.encode("gb18030"), size=50) == (text, "gb18030", 0)


@pytest.mark.fault
def test_undecodable_bytes_are_counted_and_marked() -> None:
    damaged = CHINESE.encode()[:10] + b"\xff\xfe" + CHINESE.encode()[10:]
    text, encoding, undecodable = decode(damaged)
    assert encoding == "utf-8"
    assert undecodable == 5  # the two bytes, and the three of the character that they cut in two
    assert text.replace("\ufffd", "") == CHINESE[:3] + CHINESE[4:]


def test_a_character_that_the_end_cuts_off_is_counted() -> None:
    text, encoding, undecodable = decode(CHINESE.encode()[:-1])
    assert (text, encoding, undecodable) == (CHINESE[:-1] + "\ufffd", "utf-8", 2)


JAPANESE = "祖母の家の庭には古い柿の木があって、秋になると子どもたちが集まってきた。"
KOREAN = "할머니 댁 마당에는 오래된 감나무가 있어서 가을이 되면 아이들이 모여들었다."
RUSSIAN = "Во дворе бабушкиного дома росла старая хурма, и осенью там собирались дети."
POLISH = "Na podwórzu domu babci rosła stara śliwa, a jesienią zbierały się pod nią dzieci z całej ulicy."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (KOREAN, "cp949"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (POLISH, "cp1250"),
    ],
)
def test_other_languages_in_their_old_encodings(text: str, encoding: str) -> None:
    assert decode((text * 3).encode(encoding))[::2] == (text * 3, 0)


@pytest.mark.parametrize(
    "head",
    [
        "<html><head><title>桥</title><meta charset='{}'></head>",
        '<html><meta http-equiv="Content-Type" content="text/html; charset={}">',
        '<?xml version="1.0" encoding="{}"?>',
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset={}\\n"\n',
    ],
)
@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [("Shift_JIS", "cp932", "祖母の家①"), ("gb2312", "gb18030", "朱镕基"), ("EUC-KR", "cp949", "똠방각하")],
)
def test_what_a_file_declares_counts(head: str, name: str, encoding: str, text: str) -> None:
    whole = head.format(name) + "\n" + text
    data = whole.encode(encoding, "ignore")
    assert decode(data)[:2] == (data.decode(encoding), encoding)
    assert decode(data, size=64)[0] == data.decode(encoding)  # the declaration stands in a block of ASCII alone


@pytest.mark.parametrize("name", ["utf-16", "utf-7", "rot13", "nonsense", "cp932"])
def test_a_declaration_that_cannot_be_true_does_not_count(name: str) -> None:
    text = f"<meta charset={name}>{CHINESE}"
    assert decode(text.encode())[:2] == (text, "utf-8")


def test_an_encoding_that_is_given_is_not_guessed() -> None:
    decoder = Decoder("cp1252")
    assert decoder.decode("café".encode("cp1252")) + decoder.finish() == "café"


def test_latin_1_is_not_taken_for_chinese() -> None:
    assert decode(b"caf\xe9 au lait, d\xe9j\xe0 vu")[1:] == ("utf-8", 3)


def test_a_block_that_ends_inside_a_character_is_judged_by_the_rest() -> None:
    assert guess_encoding(CHINESE.encode()[:-1]) == "utf-8"
    assert guess_encoding(CHINESE.encode("gb18030")[:-1]) == "gb18030"


# A short text with zeros in it may as well be UTF-16.
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(ANY_TEXT, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.integers(4, 9))
def test_any_text_in_any_blocks(text: str, encoding: str, size: int) -> None:
    if encoding == "utf-8" and text.startswith("\ufeff"):
        text = text[1:]
    assert decode(text.encode(encoding), size)[0].removeprefix("\ufeff") == text.removeprefix("\ufeff")
