import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.extraction.wikitext import plain_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # formatting and links
        ("'''李白'''（''Li Bai''）", "李白（Li Bai）"),
        ("[[唐朝]]的[[诗人|伟大诗人]]", "唐朝的伟大诗人"),
        ("[[:en:Li Bai|英文]] [[:分类:诗人]]", "英文 分类:诗人"),
        ("[[甲#生平]] [[#生平]]", "甲 生平"),
        ("[[水星 (行星)|]]", "水星"),
        ("[http://example.org/a 网站]和[https://example.org]", "网站和"),
        ("https://example.org/a", "https://example.org/a"),
        ("a [1] b [sic] c]] d", "a [1] b [sic] c]] d"),
        # what goes
        ("甲{{来源请求|date=2020}}乙", "甲乙"),
        ("甲{{a|{{b|c=[[d]]|{{e}}}}|f}}乙", "甲乙"),
        ("甲<ref name=a>书</ref>乙<ref name=a/>丙<ref>{{cite|a}}</ref>", "甲乙丙"),
        ("[[File:a.jpg|thumb|[[甲]]的''图'']]文[[分类:甲]][[Category:B|*]][[en:A]][[zh-min-nan:A]]", "文"),
        ("前\n{| class=x\n|-\n| 甲 || {{b}}\n{|\n| 乙\n|}\n|}\n后", "前\n后"),
        ("甲<!-- [[ {{ -->乙", "甲乙"),
        ("甲<gallery>\nFile:a.jpg|图\n</gallery>乙__NOTOC__", "甲乙"),
        ("（{{lang-en|Li Bai}}，{{audio|a}}；701年）（{{b}}）", "（Li Bai；701年）"),
        # what stands for text
        (
            "{{lang|fr|mot}} {{tsl|en|Du Fu||杜甫}} {{link-en|甲|A}} {{nowrap|乙 丙}} {{convert|5|km}}",
            "mot 杜甫 甲 乙 丙 5 km",
        ),
        (
            "水（{{chem|H|2|O}}）占60{{nbsp}}%，{{math|1=''b'' = [[e (数)|e]]}}，{{math|''b'' {{=}} 2}}",
            "水（H2O）占60 %，b = e，b = 2",
        ),
        ("（{{bd|701年|2月28日|762年||catIdx=L}}）（{{bd|1900年||||}}）", "（701年2月28日－762年）（1900年－）"),
        ("{{val|37.02|u=m}} {{abbr|甲|2=乙}} {{lang|1=fr|2=mot}}", "37.02 甲 mot"),
        ("-{zh-cn:激光; zh-tw:雷射}-与-{字}-，-{A|zh-hans:网络;zh-hant:網路;}-", "激光与字，网络"),
        ("甲-{H|zh-cn:a;zh-tw:b}-乙-{T|zh:c}-", "甲乙"),
        ("当<math>\\frac{{1}}{2} | x</math>时", "当$\\frac{{1}}{2} | x$时"),
        ("<nowiki>[[甲]] {{乙}}</nowiki> &lt;b&gt;&nbsp;丙", "[[甲]] {{乙}} <b> 丙"),
        ("<pre>\n* 甲\n  == 乙 ==\n</pre>", "* 甲\n  == 乙 =="),
        ("H<sub>2</sub>O 甲<br/>乙<div class='a'>丙</div>", "H2O 甲\n乙\n丙"),
        # lines
        ("== 生平 ==\n* 甲\n** 乙\n# 丙\n:丁\n;戊\n----\n己", "生平\n甲\n乙\n丙\n丁\n戊\n己"),
        ("== 一 ==\n=== 二 ===\n文\n== 三 ==\n=== 四 ===\n", "一\n二\n文"),
        ("文\n== 参考文献 ==\n* 书\n=== 甲 ===\n* 书\n== 影响 ==\n文", "文\n影响\n文"),
        ("a = b\n=\n== 甲 == 乙\n", "a = b\n=\n== 甲 == 乙"),
        ("甲\n\n\n乙", "甲\n乙"),
        # what is broken
        ("甲 {{乙|丙", "甲 {{乙|丙"),
        ("甲 [[乙\n\n丙]] 丁", "甲 乙\n丙]] 丁"),
        ("{{a|[[b}}甲", "甲"),
        ("{|\n| {{甲\n|}\n乙", "乙"),
        ("甲 }} ]] |} }- 乙", "甲 }} ]] |} }- 乙"),
        ("甲<ref>没有结尾", "甲没有结尾"),
        ("甲 < 乙 > 丙", "甲 < 乙 > 丙"),
        ("", ""),
    ],
)
def test_plain_text(source: str, text: str) -> None:
    assert plain_text(source) == text


HOSTILE = {
    **{mark: mark * 100_000 for mark in ("{{", "[[", "-{", "<ref>", "<!--", "（", "'", "<br ", " ;", "\n=")},
    **{"pairs": "{{" * 50_000 + "}}" * 50_000, "links": "[[a|\n\n" * 50_000, "mixed": "[[" * 50_000 + "}}" * 50_000},
    **{"blanks": "（" + " " * 200_000, "tables": "\n{|" * 50_000 + "\n|}" * 50_000, "nowiki": "<nowiki>" * 50_000},
    **{"text": "[[字字字字字" * 50_000 + "\n\n", "templates": "{{lang|x|" * 50_000 + "字" * 50_000 + "}}" * 50_000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_linearly(name: str) -> None:
    start = time.process_time()
    plain_text(HOSTILE[name] + "尾")
    assert time.process_time() - start < 3  # about 0.2 s; quadratic time would be minutes


@given(
    st.lists(
        st.sampled_from(
            [*"{}[]|=*#:'<>\n-! 甲a", "{{", "}}", "[[", "]]", "-{", "}-", "\n{|", "\n|}", "<ref>", "</ref>"]
        )
    )
)
def test_no_text_is_too_broken(pieces: list[str]) -> None:
    text = plain_text("".join(pieces))
    assert text.count("甲") <= pieces.count("甲")
    assert all(line.strip() for line in text.split("\n")) or not text
