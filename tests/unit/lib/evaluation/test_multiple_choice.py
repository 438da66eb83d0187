"""Questions of C-Eval's and CMMLU's layout are read, and answered with the likeliest option."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from lib.core.errors import UserError
from lib.evaluation.multiple_choice import Questions, choice_items, read_questions
from lib.evaluation.scorer import Scorer
from lib.settings.corpus import ReadingLimits
from lib.settings.evaluation import ScoringSettings

CEVAL = "id,question,A,B,C,D,answer,explanation\n"
CMMLU = ",Question,A,B,C,D,Answer\n"


class Knowing:
    """Scores a continuation by whether it is in `liked`; remembers what it was asked."""

    def __init__(self, *liked: str) -> None:
        self.liked = liked
        self.asked: list[tuple[str, str]] = []

    def continuations(self, texts: Sequence[tuple[str, str]], what: str) -> list[float]:
        self.asked += texts
        return [(0.1 if text in self.liked else 5.0) * len(text) for _, text in texts]


def read(folder: Path, **settings: Any) -> Questions:
    return read_questions(str(folder), folder / "downloads", ReadingLimits(), ScoringSettings(**settings))


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    for folder in ("val", "dev", "test"):
        (tmp_path / "sets" / folder).mkdir(parents=True)
    (tmp_path / "sets" / "val" / "history_val.csv").write_text(
        f'{CEVAL}0,"谁点的火, 在赤壁？",黄盖,周瑜,鲁肃,甘宁,a,他诈降\n1,谁借箭？,关羽,诸葛亮,张飞,赵云,B,\n',
        encoding="gb18030",
    )
    (tmp_path / "sets" / "dev" / "history_dev.csv").write_text(f"{CEVAL}0,谁是曹丕之父？,孙权,刘备,曹操,董卓,C,\n")
    (tmp_path / "sets" / "test" / "history_test.csv").write_text("id,question,A,B,C,D\n0,谁？,一,二,三,四\n")
    (tmp_path / "sets" / "test" / "ethics.csv").write_text(
        f"{CMMLU}7,何者为善？,甲,乙,丙,丁,D\n8,没有答案？,甲,乙,丙,丁,E\n"
    )
    return tmp_path / "sets"


def test_both_layouts_are_read_and_what_is_no_question_is_named(
    questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {f"{one.subject}:{one.id}": one for one in read(questions).asked}
    assert set(asked) == {"history:0", "history:1", "ethics:7"}
    assert asked["history:0"].text == "谁点的火, 在赤壁？"
    assert (asked["history:0"].options[0], asked["history:0"].answer, asked["ethics:7"].answer) == ("黄盖", 0, 3)
    said = capsys.readouterr().out
    assert "left out: history_test.csv: it has no column of answers" in said
    assert "left out: ethics.csv, line 3: not a question" in said


def test_the_likeliest_option_is_the_answer(questions: Path) -> None:
    scorer = Knowing("B", "黄盖", "甲")
    items = list(choice_items(cast(Scorer, scorer), read(questions), "答："))
    right = {(item.figure, item.part, item.document): item.amount for item in items}
    assert right == {
        ("choice_letter_accuracy", "history", "history:0"): 0,
        ("choice_letter_accuracy", "history", "history:1"): 1,
        ("choice_letter_accuracy", "ethics", "ethics:7"): 0,
        ("choice_text_accuracy", "history", "history:0"): 1,
        ("choice_text_accuracy", "history", "history:1"): 0,
        ("choice_text_accuracy", "ethics", "ethics:7"): 0,
    }
    assert ("谁借箭？\nA. 关羽\nB. 诸葛亮\nC. 张飞\nD. 赵云\n答：", "B") in scorer.asked
    assert ("谁借箭？\n答：", "诸葛亮") in scorer.asked


def test_examples_stand_before_the_question_with_their_answers(questions: Path) -> None:
    (questions / "test" / "ethics.csv").unlink()
    scorer = Knowing()
    list(choice_items(cast(Scorer, scorer), read(questions, shots=1, max_questions=1), "答："))
    assert scorer.asked[0][0] == (
        "谁是曹丕之父？\nA. 孙权\nB. 刘备\nC. 曹操\nD. 董卓\n答：C\n\n"
        "谁点的火, 在赤壁？\nA. 黄盖\nB. 周瑜\nC. 鲁肃\nD. 甘宁\n答："
    )
    assert scorer.asked[4][0] == "谁是曹丕之父？\n答：曹操\n\n谁点的火, 在赤壁？\n答："
    assert len(scorer.asked) == 2 * 4


def test_what_is_missing_is_said(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"evaluation\.shots is 1, but ethics has 0 examples in dev"):
        read(questions, shots=1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("nothing")
    with pytest.raises(UserError, match=r"settings: evaluation\.multiple_choice: .*holds no questions"):
        read(tmp_path / "empty")
