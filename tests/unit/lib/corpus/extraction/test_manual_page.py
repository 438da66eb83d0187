import time

import pytest

from lib.corpus.extraction.manual_page import man_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('.TH "LS" "1" "2020" "GNU"\n.SH 名称\nls \\- 列出\n目录\n', "LS(1)\n名称\nls - 列出目录"),
        (".SH A B\n.B ls\n[\\fI选项\\fR]...\n.br\n.BR ls (1),\n.IR a b\\ c d", "A B\nls [选项]...\nls(1), ab cd"),
        (".TP\n.B \\-a, \\-\\-all\n显示\n.TP 4\n\\fB-b\\fP\n隐藏\n", "-a, --all\n显示\n-b\n隐藏"),
        ('.IP "\\(bu" 2\n甲\n.IP 一 2\n乙\n', "甲\n一\n乙"),
        ("甲\n.PP\n乙\n\n丙\n.sp 2\n丁", "甲\n乙\n丙\n丁"),
        (".nf\na  b\n  c\n.fi\n甲\n乙", "a  b\n  c\n甲乙"),
        ("\\fBa\\f(CWb\\f[R]c\\s-2d\\s0\\h'1m'e\\&\\|f\\e\\(em\\[lq]\\*(lq\\[u4E2D]", "abcdef\\—““中"),
        ('甲\\\n乙\n丙 \\" 注释\n.\\" 注释\n\'\\" 注释\n.\n', "甲乙丙"),
        (".de XX\n定义\n..\n.de1 YY ZZ\n定义\n.ZZ\n.ig\n忽略\n..\n文", "文"),
        (".if n .B 甲\n.ie t \\{\\\n乙\n.\\}\n.el \\{\n丙\n.\\}\n文", "文"),
        (".TS\nbox;\nl l\nr c.\n甲\t\\fB乙\\fP\n_\n丙\t丁\n.TE\n文", "甲 | 乙\n丙 | 丁\n文"),
        (
            ".TS\nallbox tab(:);\nl l.\nT{\n甲\nT}:T{\n乙一\n乙二\nT}\n.T&\nl l.\n:T{\n丙\nT}\n丁:\\^\n.TE",
            "甲 | 乙一乙二\n丙\n丁",
        ),
        (".TS\ntab(@);\nl.\nT{\n没有结尾", "没有结尾"),
        (".TS\nl.\n没有结尾", "没有结尾"),
        (".ds a b\n.nr x 1\n.unknown 甲\n文", "文"),
        (
            ".Dd 2020\n.Dt CAT 1\n.Os\n.Sh NAME\n.Nm cat\n.Nd 连接\n.Sh 描述\n"
            ".Nm\n.Op Fl ab\n.Ar 文件 ...\n见\n.Xr ls 1 .\n"
            ".Bl -tag\n.It Fl c Ar 数 , Fl d\n选项\n.El\n.Dq Li x Ns y\n",
            "CAT(1)\nNAME\ncat - 连接\n描述\ncat [-ab] 文件 ... 见 ls(1).\n-c 数, -d\n选项\n“xy”",
        ),
        ("", ""),
        (".TH\n.SH\n.TP\n.IP\n.BR\n.Xr\n.It\n.Nm\n.OP", "[]"),
    ],
)
def test_manual_pages(source: str, text: str) -> None:
    assert man_text(source) == text


@pytest.mark.parametrize(
    "source", ["\\f" * 100_000, "\\(" * 100_000, ".B " + '"a' * 100_000, ".if \\{\n" * 100_000, ".Op Op " * 50_000]
)
def test_time_grows_linearly(source: str) -> None:
    start = time.process_time()
    man_text(source)
    assert time.process_time() - start < 3
