import polars as pl
import pytest

from lib.corpus.quality.lists import FEWEST_LINES, dated_line_share, enumerated_share
from lib.text import chunks

SENTENCE = "院子里的老槐树今年开花开得很晚，祖母说那是因为春天下了太久的雨。"
KEYWORDS = "、".join(
    [
        "手机",
        "维修",
        "价格",
        "上海",
        "北京",
        "广州",
        "深圳",
        "电脑",
        "笔记本",
        "平板",
        "屏幕",
        "更换",
        "电池",
        "主板",
        "进水",
        "黑屏",
        "数据",
        "恢复",
    ]
)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (KEYWORDS, 1.0),
        (KEYWORDS.replace("、", " "), 1.0),
        (KEYWORDS.replace("、", " | "), 0.0),  # separators with spaces on both sides are a table's
        (SENTENCE * 3, 0.0),
        ("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。闰余成岁，律吕调阳。" * 3, 0.0),
        ("The quick brown fox jumps over the lazy dog and then it runs away into the deep dark wood. " * 2, 0.0),
        ("张三、李四、王五、赵六来了。" + SENTENCE, 0.0),
        ("", 0.0),
    ],
)
def test_enumerated_share(text: str, share: float) -> None:
    assert enumerated_share(pl.Series([text])).to_list() == [pytest.approx(share)]


def test_a_list_within_a_text_counts_by_its_characters() -> None:
    text = SENTENCE + KEYWORDS + SENTENCE
    (share,) = enumerated_share(pl.Series([text]))
    assert share == pytest.approx(len(KEYWORDS) / len(text), abs=0.1)


HEADLINES = [f"老镇石桥重修工程第{number}期开工" for number in range(FEWEST_LINES)]


@pytest.mark.parametrize("form", ["{} 2023-01-1{}", "{} [2023/1/{}]", "{}（2023年1月{}日）", "{} 2023.01.{} 08:30"])
def test_headlines_beside_dates(form: str) -> None:
    lines = [form.format(line, number) for number, line in enumerate(HEADLINES, 1)]
    assert dated_line_share(pl.Series(["\n".join(lines), "\n".join([*lines, *HEADLINES])])).to_list() == [1.0, 0.5]


def test_dates_before_headlines_and_in_sentences() -> None:
    before = "\n".join(f"2023-01-1{number} {line}" for number, line in enumerate(HEADLINES))
    diary = "\n".join(f"2023年1月{number}日，{SENTENCE}" for number in range(1, 9))
    assert dated_line_share(pl.Series([before, diary, "\n".join(before.split("\n")[:4])])).to_list() == [1.0, 0.0, 0.0]


def test_long_texts_are_measured_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series(["\n".join([KEYWORDS] * 60), SENTENCE * 60])
    whole = enumerated_share(texts)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 2_000)
    assert enumerated_share(texts).to_list() == pytest.approx(whole.to_list(), abs=0.1)
