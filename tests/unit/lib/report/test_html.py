"""Text can never become markup."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from lib.report.html import Html, bar, details, element, join, section, table


class Reader(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = st.text(alphabet="<>&\"'/ =abscript\n春", max_size=40)


@given(HOSTILE)
def test_text_and_attributes_arrive_as_they_are(text: str) -> None:
    page = Reader(element("p", text, "&", element("b", text), title=text))
    assert page.tags == ["p", "b"]
    assert page.values == [text]
    assert page.text == f"{text}&{text}"


@given(st.lists(HOSTILE, min_size=2, max_size=2), HOSTILE)
def test_the_larger_parts_escape_too(cells: list[str], title: str) -> None:
    page = Reader(section(title, table(cells, [cells]), details(title, title), join([title])))
    assert set(page.tags) <= {"section", "h2", "div", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}


def test_a_section_without_content_is_left_out() -> None:
    assert section("title", "", Html()) == ""


def test_a_bar_stays_in_its_cell() -> None:
    assert 'style="width:100.0%"' in bar(7)
    assert 'style="width:0.0%"' in bar(-1)


def test_numbers_are_set_apart_from_text() -> None:
    made = table(["name", "count"], [["a", "1"]])
    assert '<td class="text">a</td><td class="number">1</td>' in made
    assert "<thead>" not in table(["", ""], [["a", "1"]])
