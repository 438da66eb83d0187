"""Formats that are made of parts: books, office documents, subtitles, translations, web archives."""

import gzip
from pathlib import Path

import pytest
from container_files import answer, docx, epub, pdf, warc_record, zipped

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.reading.documents import Reading, read_documents
from lib.files.text_files import Broken, Seen
from lib.settings.corpus import ReadingSettings

PAGE = "<html><body><p>院子里的老槐树今年开花开得很晚。</p></body></html>"


def read(tmp_path: Path, data: bytes, file_format: str, seen: Seen | None = None, **limits: int) -> list[str | Broken]:
    path = tmp_path / "file"
    path.write_bytes(data)
    seen = seen or Seen()
    found = list(read_documents(path, file_format, seen, Reading(ReadingSettings(**limits), tmp_path / "scratch")))
    assert seen.sha256 == sha256_file(path)
    return found


def reason(found: list[str | Broken]) -> str:
    (broken,) = found
    assert isinstance(broken, Broken)
    return f"{broken.position}: {broken.reason}"


class TestEpub:
    def test_chapters_come_in_the_order_of_the_spine(self, tmp_path: Path) -> None:
        seen = Seen()
        chapters = {"two two.xhtml": PAGE.replace("槐", "柳"), "one.xhtml": PAGE.encode("gb18030")}
        assert read(tmp_path, epub(chapters), "epub", seen) == [PAGE, PAGE.replace("槐", "柳")]
        assert seen.encoding == "gb18030, utf-8"

    def test_chapters_that_cannot_be_read(self, tmp_path: Path) -> None:
        encryption = '<encryption><CipherReference URI="OEBPS/a.xhtml"/></encryption>'
        found = read(tmp_path, epub({"a.xhtml": b"\x01\x02", "b.xhtml": PAGE}, encryption=encryption), "epub")
        assert found[0] == PAGE
        assert reason(found[1:]) == "chapter 2 (OEBPS/a.xhtml): encrypted (DRM)"

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"no archive", "the book: not a ZIP archive, or damaged (File is not a zip file)"),
            (zipped({"a.txt": "a"}), "the book: META-INF/container.xml is missing"),
            (zipped({"META-INF/container.xml": "<a"}), "the book: META-INF/container.xml is no XML (unclosed token"),
            (epub({}), "the book: OEBPS/book.opf names no chapters"),
        ],
    )
    def test_broken_books(self, tmp_path: Path, data: bytes, message: str) -> None:
        assert reason(read(tmp_path, data, "epub")).startswith(message)


class TestDocx:
    def test_paragraphs(self, tmp_path: Path) -> None:
        body = (
            "<w:p><w:r><w:t>第一</w:t></w:r><w:r><w:t>段</w:t><w:tab/><w:t>尾 &amp; 完</w:t></w:r></w:p>"
            "<w:p><w:del><w:r><w:delText>删去</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>格</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
            '<w:p><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:t>框</w:t></mc:Choice><mc:Fallback><w:p><w:t>框</w:t>'
            "</w:p></mc:Fallback></mc:AlternateContent></w:p>"
        )
        assert read(tmp_path, docx(body), "docx") == ["第一段\t尾 & 完\n\n格\n框\n"]

    def test_limits(self, tmp_path: Path) -> None:
        data = docx(f"<w:p><w:t>{'槐' * 1000}</w:t></w:p>")
        (broken,) = read(tmp_path, data, "docx", maximum_document_bytes=1500)
        assert isinstance(broken, Broken)
        assert (broken.kind, broken.reason) == (
            "too long",
            "3,001 bytes, more than corpus.maximum_document_bytes (1,500)",
        )

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (zipped({"a.txt": "a"}), "no Word document: word/document.xml is missing"),
            (docx("<w:p>"), "word/document.xml is no XML (mismatched tag"),
            (docx("<w:p/>")[:40], "not a ZIP archive, or damaged (File is not a zip file)"),
        ],
    )
    def test_broken_documents(self, tmp_path: Path, data: bytes, message: str) -> None:
        assert reason(read(tmp_path, data, "docx")).startswith(f"the document: {message}")


class TestPdf:
    def test_pages_are_one_document(self, tmp_path: Path) -> None:
        assert read(tmp_path, pdf(["老槐树今年开花", "开得很晚。"]), "pdf") == ["老槐树今年开花\n开得很晚。\n"]

    def test_files_without_text(self, tmp_path: Path) -> None:
        assert "no text layer on 1 pages; recognise the text first" in reason(read(tmp_path, pdf([""]), "pdf"))
        assert "Failed to load document" in reason(read(tmp_path, b"%PDF-1.4 cut", "pdf"))


class TestSubtitles:
    def test_what_is_said(self, tmp_path: Path) -> None:
        text = (
            "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>你回来了</i>\r\n{\\an8}嗯\r\n\r\n"
            "2\r\n00:00:03,000 --> 00:00:04,000\r\n1984\r\n那一年 < 今年\r\n\r\n"
            "3\r\n00:00:05.000 --> 00:00:06.000\r\n\r\n走吧\r\n"
        )
        assert read(tmp_path, text.encode("utf-8"), "srt") == ["你回来了\n嗯\n1984\n那一年 < 今年\n走吧\n"]
        assert read(tmp_path, text.removeprefix("\ufeff").encode("gb18030"), "srt") == [
            "你回来了\n嗯\n1984\n那一年 < 今年\n走吧\n"
        ]

    def test_no_subtitles(self, tmp_path: Path) -> None:
        assert "no line with times" in reason(read(tmp_path, b"hello\n", "srt"))


class TestTranslations:
    def test_finished_ones(self, tmp_path: Path) -> None:
        text = (
            'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=gbk\\n"\n\nmsgid "Tree"\nmsgstr "槐"\n"树"\n\n'
            '#, fuzzy\nmsgid "b"\nmsgstr "疑"\n\nmsgid "none"\nmsgstr ""\n\n#~ msgid "old"\n#~ msgstr "旧"\n\n'
            'msgid "%d tree"\nmsgid_plural "%d trees"\nmsgstr[0] "%d 棵树"\n'
        )
        seen = Seen()
        assert read(tmp_path, text.encode("gbk"), "po", seen) == ["槐树\n%d 棵树"]
        assert seen.left_out == {"entries that are fuzzy or not translated": 2}

    def test_broken_ones(self, tmp_path: Path) -> None:
        assert reason(read(tmp_path, b'msgid "a"\nhello\n', "po")) == "the file: Syntax error in po file (line 2)"

    def test_a_path_is_no_text_of_that_file(self, tmp_path: Path) -> None:
        (tmp_path / "other.po").write_text('msgid "a"\nmsgstr "别处"\n', encoding="utf-8")
        assert "Syntax error" in reason(read(tmp_path, str(tmp_path / "other.po").encode(), "po"))


class TestWebArchives:
    RECORDS = (
        warc_record("warcinfo", b"software: test\r\n", "application/warc-fields"),
        warc_record("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"),
        warc_record("response", answer(PAGE.encode("gbk"), "text/html; charset=gbk")),
        warc_record("response", answer(b"\x89PNG", "image/png")),
        warc_record("response", answer(b"gone", status="404 Not Found")),
        warc_record("response", answer(gzip.compress(PAGE.encode()), header="Content-Encoding: gzip\r\n")),
        warc_record(
            "response",
            answer(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "text/plain", header="Transfer-Encoding: chunked\r\n"),
        ),
        warc_record("conversion", "槐花开了。".encode(), "text/plain"),
    )

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_pages_and_texts(self, tmp_path: Path, pack: type[bytes]) -> None:
        seen = Seen()
        found = read(tmp_path, b"".join(map(pack, self.RECORDS)), "warc", seen)
        assert found == [PAGE, PAGE, "hello world", "槐花开了。"]
        assert seen.left_out == {
            "answers that are neither HTML nor plain text": 1,
            "answers with a status other than 200": 1,
        }
        assert seen.encoding == "ascii, gb18030, utf-8"

    def test_a_wrong_charset_is_not_believed(self, tmp_path: Path) -> None:
        data = warc_record("response", answer(PAGE.encode(), "text/html; charset=gbk"))
        assert read(tmp_path, data, "warc") == [PAGE]

    def test_long_and_cut_off_records(self, tmp_path: Path) -> None:
        text = "槐".encode() * 1000
        data = warc_record("conversion", text, "text/plain", "/long") + warc_record(
            "conversion", text[:900], "text/plain"
        )
        found = read(tmp_path, data[:-60], "warc", maximum_document_bytes=1500)
        assert [(one.position, one.kind) for one in found if isinstance(one, Broken)] == [
            ("record 1 (http://a.example/long)", "too long"),
            ("record 2 (http://a.example/1)", "broken"),
        ]

    def test_no_web_archive(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="file: no web archive: it does not begin with WARC/"):
            read(tmp_path, b"hello\n", "warc")
        with pytest.raises(UserError, match="file: broken after record 1: Invalid WARC record, first line: garbage"):
            read(tmp_path, self.RECORDS[7] + b"garbage\n", "warc")
        assert read(tmp_path, b"", "warc") == []
