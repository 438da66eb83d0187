import time

import polars as pl
import pytest

from lib.corpus.extraction.html_page import PageKind, page_text
from lib.corpus.extraction.html_tags import strip_markup
from lib.corpus.extraction.page_tree import MAXIMUM_PAGE, MAXIMUM_TAGS, is_hostile, is_page


def lines(page: str, kind: PageKind = "inferred") -> list[str]:
    return [" ".join(line.split()) for line in page_text(page, kind).split("\n") if line.strip()]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><body><p>一\n <b>行</b>，\na\nb\n二</p><p>二", ["一行，a b 二", "二"]),
        ("<html><head><title>题</title><style>p {}</style></head><body>文", ["文"]),
        ("<html><script>if (a<b) { '<p>' }</script>文", ["文"]),
        ("<html><body><noscript>请启用</noscript><template>模板</template><svg><text>图</text></svg>文", ["文"]),
        ("<html><ul><li>甲<li>乙</ul>", ["甲", "乙"]),
        ("<html><x-card>甲</x-card><b>乙</b>", ["甲乙"]),
        ("<html><p>a &lt; b &amp; List&lt;String&gt;", ["a < b & List<String>"]),
        ("<html>看<a href=b title='a > b'>链接</a><!-- 注释 -->。", ["看链接。"]),
        ("<html><p>甲<br>乙<hr>丙", ["甲", "乙", "丙"]),
        ("<html><ruby>漢<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>字", ["漢字"]),
        ("<html><p>开头<script>没有结尾", ["开头"]),
        ("<html>", []),
        # tables: a line per row of data; cells that hold more are blocks
        ("<html><table><tr><td>甲<td>乙<tr><td><p>丙<td>丁<td></table>", ["甲 | 乙", "丙 | 丁"]),
        ("<html><table><tr><td><ul><li>甲<li>乙</ul><td>丙</table>", ["甲", "乙", "丙"]),
        (f"<html><table><tr><td>{'长' * 300}<td>乙</table>", ["长" * 300, "乙"]),
        # XHTML
        ("<?xml version='1.0'?><html><body><a id='x'/><script src='y'/>甲<p/>乙</body></html>", ["甲", "乙"]),
    ],
)
def test_page_text_is_what_a_browser_shows(page: str, text: list[str]) -> None:
    assert lines(page) == text


def test_code_keeps_its_shape() -> None:
    assert page_text("<html><pre>def f():\n    pass</pre>").strip("\n") == "def f():\n    pass"


TEXT = "这是正文的第一段，说了一件事。这是正文的第二句，又说了一件事。"
LINKS = "".join(f'<a href="/{number}">栏目{number}</a> ' for number in range(9))


@pytest.mark.parametrize(
    "navigation",
    [
        f"<nav>{LINKS}</nav>",
        f"<header><p>网站 {LINKS}</p></header>",
        "<footer>版权所有</footer>",
        "<aside>广告词</aside>",
        "<form><input> 请登录 <button>提交</button></form>",
        '<div role="navigation">上一页</div>',
        '<div class="site-footer">版权所有</div>',
        '<div id="breadcrumb">首页 &gt; 新闻</div>',
        '<p class="share">分享到</p>',
        "<div hidden>看不见</div>",
        "<p style='color: red; display: none'>看不见</p>",
        "<h2 style='DISPLAY:NONE !important'>看不见</h2>",
        f"<div>{LINKS}</div>",
        f"<ul>{''.join(f'<li><a href=/{number}>相关新闻的标题{number}</a></li>' for number in range(9))}</ul>",
        f"<table><tr><td>{LINKS}</td></tr></table>",
        '<p><a href="/">返回首页</a></p>',
    ],
)
@pytest.mark.parametrize(
    "place", ["{}<div><p>{}</p></div>", "<div>{}<p>{}</p></div>", "<article><div>{}</div>{}</article>"]
)
def test_navigation_goes(navigation: str, place: str) -> None:
    assert lines(f"<!doctype html><body>{place.format(navigation, TEXT)}") == [TEXT]


@pytest.mark.parametrize(
    "content",
    [
        f'<div class="has-sidebar">{TEXT}</div>',
        f'<div class="main-menu-open"><div><h1>题</h1>{TEXT}</div></div>',
        f'<p>{TEXT}<a href="/a">链接</a>。</p>',
        f'<p>{TEXT}可供选择的有下面这几种：</p><ul><li><a href="/a">链接</a></li><li><a href="/b">标题</a></li></ul>',
        f'{TEXT}<table><tr><th>题<tr><td><p><a href="/a">链接</a></p><td><a href="/b">标题</a></table>',
        f'<p>{TEXT}</p><p><a href="/a">一句话都是链接，但它是正文里的一句话。</a></p>',
        f'<p>{TEXT}</p><h2><a href="#a">标题</a></h2><p>{TEXT}</p>',
        f"<article><header>甲报 记者乙</header>{TEXT}</article>",
    ],
)
def test_content_stays(content: str) -> None:
    text = "".join(lines(f"<!doctype html><body>{content}"))
    assert TEXT in text
    for part in ("题", "链接", "但它是正文", "标题", "甲报 记者乙"):
        assert (part in text) == (part in content)


def test_a_form_around_the_page_is_no_navigation() -> None:
    login = "<form><input name=q> 搜索</form>"
    page = f"<form action=show.aspx id=aspnetForm><input type=hidden><div class=nav>{LINKS}</div><p>{TEXT}</p></form>"
    assert lines(f"<html>{login}{page}{login}") == [TEXT]
    assert lines(f"<html><form action=show.aspx><h1>题</h1><p>{TEXT}</p></form>") == ["题", TEXT]


@pytest.mark.parametrize("style", ["font-size:0", "font-size: 0px;", "color:red;font-size:0.0em", "display:none"])
def test_hidden_text_inside_a_sentence_goes(style: str) -> None:
    assert lines(f'<html><p>{TEXT[:9]}<span style="{style}">请勿转载</span>{TEXT[9:]}</p>') == [TEXT]


@pytest.mark.parametrize("style", ["visibility:hidden", "font-size:0.8em", "font-size:05px", "x-display:none"])
def test_other_styles_hide_nothing(style: str) -> None:
    assert lines(f'<html><div style="{style}">{TEXT}</div>') == [TEXT]
    assert lines(f'<html><body style="display:none">{TEXT}') == [TEXT]


def test_what_the_page_calls_its_main_part_is_taken() -> None:
    other = "<div><p>旁边的一段话，不是正文。</p></div>"
    assert lines(f"<html>{other}<main><p>{TEXT}</p></main>{other}") == [TEXT]
    assert lines(f"<html>{other}<div role=main><p>{TEXT}</p></div>{other}") == [TEXT]
    assert lines(f"<html>{other}<article>{TEXT}</article>{other}<article>{TEXT}</article>") == [TEXT, TEXT]
    # One that holds next to nothing is not believed.
    assert lines(f"<html><main>。</main><p>{TEXT}</p>") == ["。", TEXT]


@pytest.mark.parametrize(
    ("title", "body", "first"),
    [
        ("新闻标题_某网", "<h1>新闻标题</h1>", ["新闻标题"]),
        ("新闻标题", "<p>来源</p><h1>新闻标题</h1>", ["新闻标题", "来源"]),
        ("新闻标题", "", ["新闻标题"]),
        ("", "<h1>新闻标题</h1>", ["新闻标题"]),
        ("新闻标题", "<h1>某网</h1>", ["新闻标题", "某网"]),
    ],
)
def test_the_title_of_documentation_is_the_first_line(title: str, body: str, first: list[str]) -> None:
    assert lines(f"<html><title>{title}</title><body>{body}<p>{TEXT}</p>", "documentation") == [*first, TEXT]


def test_the_title_of_an_article_is_what_stands_above_its_text() -> None:
    assert lines(f"<html><title>新闻标题_某网</title><body><h1>新闻标题</h1><p>{TEXT}</p>") == ["新闻标题", TEXT]
    assert lines(f"<html><title>新闻标题_某网</title><body><p>{TEXT}</p>") == [TEXT]


STORY = [
    "The old bridge over the river was built by three brothers, who had learned their trade in the city, far away.",
    "When the flood came in the spring of that year, nobody believed that the two arches would stand, but they did.",
    "The people of the village, who had walked an hour to the market until then, now needed only a few minutes.",
    "Every summer the children jump from its parapet into the water, although their parents have told them not to.",
]
CHINESE_STORY = [
    "院子里的老槐树今年开花开得很晚，祖母说那是因为春天下了太久的雨，我们几个孩子搬着小板凳坐在树下，听她讲故事。",
    "后来桥修好了，镇上的人从河这边走到河那边只要一袋烟的工夫，赶集的日子桥上挤满了挑担子的人，热闹得很。",
    "卖豆腐的老张总是第一个过桥，他的吆喝声隔着两条街都听得清清楚楚，孩子们一听见就跑出来，围着他看。",
]


@pytest.mark.parametrize("story", [STORY, CHINESE_STORY])
def test_articles_without_what_surrounds_them(story: list[str]) -> None:
    """Nothing is called navigation here, and the teasers are prose: it is the place that tells."""
    teasers = "".join(
        f"<div class=x{n}><a href=/{n}>别的新闻 {n}</a><span>2023-05-0{n}</span></div>" for n in range(1, 9)
    )
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in story)
    above = "<div class=top>某网 今天 <b>天气 晴</b></div>"
    beside = f"<div class=right><h3>热门</h3>{teasers}</div><div class=low>地址 某街 某号 电话 12345</div>"
    page = f"<!doctype html><html><body>{above}<div class=left><div>{paragraphs}</div></div>{beside}</body></html>"
    assert lines(page) == story


DOCUMENTATION = "<meta name=generator content='DocBook XSL Stylesheets V1.79'>"


def test_documentation_keeps_lists_and_tables() -> None:
    rows = "".join(f"<tr><td>-{letter}</td><td>option {letter}</td></tr>" for letter in "abcdef")
    body = f"<h1>bridge</h1><p>{STORY[0]}</p><table>{rows}</table><dl><dt>-v</dt><dd>version</dd></dl>"
    page = "<html><head>{}<title>bridge(1)</title></head><body>{}</body></html>"
    expected = ["bridge", STORY[0], *(f"-{letter} | option {letter}" for letter in "abcdef"), "-v", "version"]
    assert lines(page.format(DOCUMENTATION, body)) == expected
    assert lines(page.format("", body), "documentation") == expected
    assert lines(f"<?xml version='1.0'?>{page.format('', body)}") == expected


def test_hidden_text_inside_a_long_article_goes() -> None:
    hidden = [f"{text[:30]}<span style='font-size:0'>do not copy</span>{text[30:]}" for text in STORY]
    assert lines(f"<html><body><div>{''.join(f'<p>{text}</p>' for text in hidden)}</div></body></html>") == STORY


def test_a_hidden_copy_of_a_paragraph_is_not_taken_for_the_paragraph() -> None:
    story = "".join(f"<p>{text}</p>" for text in STORY)
    assert (
        lines(f"<html><body><div hidden>{story}</div><div>{story}</div><p hidden>{STORY[0]}</p></body></html>") == STORY
    )


def test_pages_by_their_beginning() -> None:
    assert is_page("<!DOCTYPE html><p>")
    assert is_page('\n<?xml version="1.0"?>\n<!-- a -->\n<html lang="zh">')
    assert not is_page("文 <html>")


@pytest.mark.parametrize(
    "page",
    [
        "<html>" + "<div>" * 100_000 + "文",
        "<html>" + "<ul><li>" * 50_000 + "文",
        "<html>" + "<x-a>" * 100_000 + "文" + "</x-a>" * 100_000,
        "<html><div " + " ".join(f"a{number}=1" for number in range(50_000)) + ">文",
        "<html>" + "<b><p>" * 1_900 + "文",
        "<html>" + "<table><tr><td>" * 30_000 + "文",
        "<html>" + "<" * 200_000 + "文",
        "<html>" + "<p><a href=b>文</a></p>" * 5_000 + "文",
        "<html>" + "<p><a href=b>文</a></p>" * 40_000 + "文",
        "<html>" + "<blockquote>" * 1_900 + "<b>文</b>" * 20_000,
        "<html>" + "<div>" * 100 + "<p>文，文。</p>" * 4_000,
    ],
)
def test_hostile_pages_take_no_longer_than_others(page: str) -> None:
    start = time.process_time()
    (text,) = strip_markup(pl.Series([page]))
    assert "文" in text or page.count("文") > 1
    assert time.process_time() - start < 5


def test_pages_too_large_to_parse_are_hostile() -> None:
    assert is_hostile("<html>" + "<br>" * (MAXIMUM_TAGS + 1))
    assert is_hostile("<html>" + "文" * MAXIMUM_PAGE)


def test_large_pages_are_not_hostile() -> None:
    assert not is_hostile("<html><ul>" + "<li>甲<br>" * 10_000 + "<p>乙" * 10_000 + "<div>丙</div>" * 10_000)
    assert not is_hostile(f"<html><img src='data:image/png;base64,{'A' * 100_000}'>")


BRIDGE = (
    "昨天上午，镇上的石桥重新开放，许多居民带着孩子来看，有人还拍下了视频。老张说，他等这一天已经等了三年，以后不用再绕远路了。",
    "短讯",
    "工程队用了十个月的时间加固桥墩，更换了全部石板，又在两侧安上了新的栏杆和路灯。到了晚上，这里更多地成了散步的地方。",
    "共有3人参加了剪彩，他们都是镇上的老人，最大的一位今年九十一岁，最小的也有七十了。",
)


def test_a_word_of_a_menu_is_no_line_of_the_text_because_it_stands_in_one() -> None:
    paragraphs = "".join(f"<p>{line}</p>" for line in BRIDGE)
    menu = "<div><div>视频</div><div>更多</div></div>"
    page = f"<!doctype html><body>{menu}<div id=content>{paragraphs}</div><div><span>3</span></div>"
    assert lines(page) == list(BRIDGE)


def test_a_box_of_docbook_is_text_and_a_column_beside_the_text_is_not() -> None:
    title = "<div class=titlepage><p class=title>基础知识：压缩</p></div>"
    box = f"<div class='sidebar'>{title}<div class=para>{TEXT}</div></div>"
    page = f"<html><body><div class=section><p>{TEXT * 3}</p>{box}</div><div class=sidebar><p>{TEXT}</p></div>"
    assert lines(page, "documentation") == [TEXT * 3, "基础知识：压缩", TEXT]
