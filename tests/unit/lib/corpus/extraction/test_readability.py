import pytest

from lib.corpus.extraction.page_lines import page_lines
from lib.corpus.extraction.page_tree import parse
from lib.corpus.extraction.readability import drop_all_but_prose

STORY = "祖母说，那是因为春天下了太久的雨，我们几个孩子搬着小板凳，坐在老槐树下，听她讲从前镇上修桥的故事。"
STORY_2 = "后来桥修好了，镇上的人从河这边走到河那边，只要一袋烟的工夫，赶集的日子，桥上挤满了挑担子的人。"
STORY_3 = "卖豆腐的老张总是第一个过桥，他的吆喝声隔着两条街都听得清清楚楚，孩子们一听见，就都跑出来围着他看。"


def prose(body: str) -> list[str]:
    elements = parse(f"<html><body>{body}</body></html>").elements
    roots = drop_all_but_prose(elements)
    return [line.strip() for line in page_lines(elements, roots) if line.strip()]


@pytest.mark.parametrize(
    "around",
    [
        "<div>首页 新闻 体育</div>{}<div>电话 12345</div>",
        "<div class=top><p>短的一句，不是正文，也够二十个字那么长了吧。</p></div>{}",
        "{}<div class=sidebar><p>" + STORY[::-1] + "</p></div>",
        "{}<div><a href=/1>" + STORY[::-1] + "</a></div>",
        "<nav><p>" + STORY[::-1] + "</p></nav>{}",
    ],
)
def test_the_element_with_the_prose_is_taken(around: str) -> None:
    story = f"<div><p>{STORY}</p><p>{STORY_2}</p><p>{STORY_3}</p></div>"
    assert prose(around.format(story)) == [STORY, STORY_2, STORY_3]


def test_paragraphs_beside_the_best_element_belong_to_it() -> None:
    body = f"<p>{STORY_3}</p><div><p>{STORY}</p><p>{STORY_2}</p></div><p>短句。</p><p>栏目</p>"
    assert prose(body) == [STORY_3, STORY, STORY_2, "短句。"]


def test_text_without_paragraphs() -> None:
    story = f"<div>{STORY}<br>{STORY_2}<br>{STORY_3}</div>"
    assert prose(f"<div>{story}</div><div><b>栏目</b></div>") == [STORY, STORY_2, STORY_3]
    assert prose("<div>很短</div><div>也短</div>") == ["很短", "也短"]


def test_a_name_does_not_take_away_the_whole_text() -> None:
    assert prose(f"<div class=comment><p>{STORY}</p><p>{STORY_2}</p><p>{STORY_3}</p></div>") == [
        STORY,
        STORY_2,
        STORY_3,
    ]
