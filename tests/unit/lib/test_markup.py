import pytest

from lib.markup import page_text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><body><p>一\n行</p><p>二", ["一 行", "二"]),
        ("<html><head><title>题</title><style>p {}</style></head><body>文", ["题", "文"]),
        ("<html><script>if (a<b) { '<p>' }</script>文", ["文"]),
        ("<html><body><noscript>请启用</noscript><template>模板</template><svg><text>图</text></svg>文", ["文"]),
        ("<html><ul><li>甲<li>乙</ul>", ["甲", "乙"]),
        ("<html><table><tr><td>甲<td>乙<tr><td>丙</table>", ["甲", "乙", "丙"]),
        ("<html><x-card>甲</x-card><b>乙</b>", ["甲乙"]),
        ("<html><p>a &lt; b &amp; List&lt;String&gt;", ["a < b & List<String>"]),
        ("<html><a title='a > b'>链接</a><!-- 注释 -->", ["链接"]),
        ("<html><pre>def f():\n    pass</pre>", ["def f():", "    pass"]),
        ("<html><p>开头<script>没有结尾", ["开头"]),
        ("<html>", []),
    ],
)
def test_page_text_is_what_a_browser_shows(page: str, text: list[str]) -> None:
    assert [line.rstrip() for line in page_text(page).split("\n") if line.strip()] == text
