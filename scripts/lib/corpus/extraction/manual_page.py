"""Manual pages (troff with the macros of man or mdoc) to text: headings and paragraphs, without fonts and layout."""

import re
from collections.abc import Iterator

from lib.corpus.extraction.line_breaks import BREAK, unwrapped

_CHARACTERS = {
    **{"bu": "•", "em": "—", "en": "–", "hy": "-", "aq": "'", "dq": '"', "lq": "“", "rq": "”", "oq": "‘", "cq": "’"},
    **{"co": "©", "rg": "®", "tm": "™", "de": "°", "mu": "×", "+-": "±", "->": "→", "<-": "←", "<=": "≤", ">=": "≥"},
    **{"!=": "≠", "ba": "|", "bv": "|", "br": "|", "sl": "/", "rs": "\\", "ga": "`", "ha": "^", "ti": "~", "ul": "_"},
    **{"mi": "-", "pl": "+", "eq": "=", "at": "@", "sh": "#", "Do": "$", "sc": "§", "14": "¼", "12": "½", "34": "¾"},
    **{"la": "⟨", "ra": "⟩", "Fo": "«", "Fc": "»", "dg": "†", "aa": "´", "pd": "∂"},
}
_STRINGS = {
    **{"R": "®", "Tm": "™", "lq": "“", "rq": "”", 'L"': "“", 'R"': "”", "C`": '"', "C'": '"', "--": "—", "C+": "C++"},
}
_ESCAPE = re.compile(
    r"\\(?:f(?:\[[^\]]*\]|\(..|.)|s[+-]?(?:\[[^\]]*\]|\(..|'[^']*'|[0-9]{1,2})|\((?P<two>..)|\[(?P<name>[^\]]*)\]"
    r"|\*(?:\((?P<string2>..)|\[(?P<string>[^\]]*)\]|(?P<string1>.))|[hvwlLDboxXZANRHSVY]'[^']*'"
    r"|[mMnFgkYV](?:\[[^\]]*\]|\(..|.)"
    r"|z.|[$](?:\(..|\[[^\]]*\]|.)|(?P<one>.)|$)"
)
_ONE = {"e": "\\", "0": " ", "~": " ", "t": "\t", **{same: same for same in "-\\ '`_."}}
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:[^\s"\\]|\\.)(?:[^\s\\]|\\.)*)')
_PLAIN = "Ar Cm Em Sy Ic Li Pa Va Vt Ev Dv Er Fa Ft Tn No An Ad Fd Dl D1 St Cd Nm Ns Xo Xc"
# Macros of mdoc that can be called within the line of another one: what stands in front of their arguments.
_INLINE = {
    **dict.fromkeys(_PLAIN.split(), ""),
    **{"Fl": "-", "Bx": "BSD ", "Ux": "UNIX ", "At": "UNIX ", "Oo": "[", "Oc": "]"},
}
# Those that enclose the rest of the line.
_ENCLOSING = {
    **{"Dq": "“”", "Ql": "“”", "Sx": "“”", "Sq": "‘’", "Qq": '""', "Pq": "()", "Bq": "[]", "Op": "[]", "Brq": "{}"},
    "Aq": "<>",
}
_DEFINITION = re.compile(r"(?:de1?|am1?|ig)\b")
_CONDITION = re.compile(r"(?:if|ie|el|while)\b")
_PUNCTUATION = frozenset([".", ",", ":", ";", ")", "]", "?", "!"])


def man_text(source: str) -> str:
    """Text of a manual page: its title, headings and paragraphs, each on a line; lines as they are where it says so.

    The text of macros that the page itself defines, of conditions and of unknown requests is left out.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    name = ""
    as_is = awaits_tag = False
    table: list[str] | None = None

    def end_paragraph() -> None:
        text = unwrapped(BREAK.join(paragraph)).strip()
        paragraph.clear()
        if text:
            lines.append(text)

    for line in _visible(source):
        if table is not None:
            if line.startswith(".TE"):
                lines += _table(table)
                table = None
            elif line[:1] != "." or line.startswith(".T&"):
                table.append(line)
            continue
        if line[:1] not in (".", "'"):
            text = _plain(line)
            if as_is:
                if text.strip(" \t_="):
                    lines.append(text.rstrip())
            elif not text.strip():
                end_paragraph()
            else:
                paragraph.append(text.strip())
                if awaits_tag:
                    end_paragraph()
            awaits_tag = awaits_tag and not text.strip()
            continue
        request, _, rest = line[1:].lstrip(" \t").partition(" ")
        request, tab, more = request.partition("\t")
        arguments = [_plain(argument) for argument in _arguments(more + tab + rest)]
        match request:
            case "TH" | "Dt":
                end_paragraph()
                paragraph.append(f"{arguments[0]}({arguments[1]})" if len(arguments) > 1 else " ".join(arguments))
                end_paragraph()
            case "SH" | "SS" | "Sh" | "Ss":
                end_paragraph()
                as_is = False
                paragraph += arguments
                end_paragraph()
            case "TP" | "TQ" | "HP":
                end_paragraph()
                awaits_tag = request != "HP"
                continue
            case "IP" | "It":
                end_paragraph()
                tag = _mdoc(arguments) if request == "It" else (arguments or [""])[0]
                if tag.strip(" •*-o"):
                    lines.append(tag)
            case "PP" | "LP" | "P" | "Pp" | "br" | "sp" | "RS" | "RE" | "Bl" | "El" | "Sp" | "bp" | "CS" | "CE":
                end_paragraph()
            case "TS":
                end_paragraph()
                table = []
            case "nf" | "EX" | "Vb" | "DS" | "Bd":
                end_paragraph()
                as_is = True
            case "fi" | "EE" | "Ve" | "DE" | "Ed":
                as_is = False
            case "B" | "I" | "SM" | "SB" | "R":
                _add(" ".join(arguments), lines, paragraph, as_is)
            case "BR" | "RB" | "BI" | "IB" | "IR" | "RI":
                _add("".join(arguments), lines, paragraph, as_is)
            case "Nd":
                _add("- " + " ".join(arguments), lines, paragraph, as_is)
            case "Nm":
                name = name or (arguments[0] if arguments else "")
                is_bare = not arguments or arguments[0] in _PUNCTUATION
                _add(_mdoc([name, *arguments] if is_bare else arguments), lines, paragraph, as_is)
            case "Xr" if len(arguments) > 1:
                _add(f"{arguments[0]}({arguments[1]}){''.join(arguments[2:])}", lines, paragraph, as_is)
            case "UR" | "MT" | "URL":
                _add(" ".join(arguments[:2]), lines, paragraph, as_is)
            case "OP":
                _add(f"[{' '.join(arguments)}]", lines, paragraph, as_is)
            case _ if request in _INLINE or request in _ENCLOSING:
                _add(_mdoc([request, *arguments]), lines, paragraph, as_is)
            case _:
                continue
        if awaits_tag and paragraph:
            end_paragraph()
            awaits_tag = False
    end_paragraph()
    lines += _table(table or [])
    return "\n".join(lines)


def _table(source: list[str]) -> list[str]:
    """Rows of a table of tbl, cells apart by bars: after options (up to `;`) and the columns' formats (up to `.`).

    A cell may be a block of lines between `T{` and `T}`.
    """
    rows: list[list[str]] = []
    separator = "\t"
    in_format, in_block = True, False
    for number, line in enumerate(source):
        line = line.rstrip()
        if number == 0 and line.endswith(";"):
            if match := re.search(r"tab *\((.)\)", line):
                separator = match[1]
        elif line.startswith(".T&"):
            in_format = True
        elif in_format:
            in_format = not line.endswith(".")
        elif in_block and not line.startswith("T}"):
            rows[-1][-1] += f"{BREAK}{_plain(line)}"
        else:
            cells = line.split(separator)
            if in_block:
                cells = cells[1:]
            else:
                rows.append([])
            in_block = bool(cells) and cells[-1].strip() == "T{"
            rows[-1] += [_plain(cell) for cell in cells[: len(cells) - in_block]] + [""] * in_block
    texts = (" | ".join(text for cell in row if (text := unwrapped(cell).strip()).strip("_=-^\\")) for row in rows)
    return [text for text in texts if text]


def _add(text: str, lines: list[str], paragraph: list[str], as_is: bool) -> None:
    if as_is:
        lines.append(text)
    elif text.strip():
        paragraph.append(text.strip())


def _visible(source: str) -> Iterator[str]:
    """Lines without comments, definitions of macros, ignored text and the branches of conditions."""
    until = ""
    depth = 0
    for line in source.replace("\\\r\n", "").replace("\\\n", "").splitlines():
        if until:
            if line.rstrip() == until or line.startswith(until + " "):
                until = ""
            continue
        if depth:
            depth += line.count("\\{") - line.count("\\}")
            continue
        if line.startswith((".", "'")):
            body = line[1:].lstrip(" \t")
            if body.startswith('\\"') or not body:
                continue
            if _DEFINITION.match(body):
                until = f".{_end_of_definition(body.split())}"
                continue
            if _CONDITION.match(body):
                depth = max(line.count("\\{") - line.count("\\}"), 0)
                continue
        yield re.sub(r'(?<!\\)\\["#].*', "", line) if "\\" in line else line


def _end_of_definition(words: list[str]) -> str:
    """The request that ends `.de NAME [END]` or `.ig [END]`; `..` by default."""
    end = words[1:2] if words[0] == "ig" else words[2:3]
    return end[0] if end and not end[0].startswith("\\") else "."


def _arguments(text: str) -> list[str]:
    return [match[1].replace('""', '"') if match[1] is not None else match[2] for match in _ARGUMENT.finditer(text)]


def _mdoc(words: list[str]) -> str:
    """What the words of an mdoc line say, the macros among them carried out."""
    end = len(words)
    while end and words[end - 1] in _PUNCTUATION:
        end -= 1
    out = closing = ""
    is_glued = True
    for word in words[:end]:
        if word == "Ns":
            is_glued = True
        elif word in _ENCLOSING:
            out += ("" if is_glued else " ") + _ENCLOSING[word][0]
            closing = _ENCLOSING[word][1] + closing
            is_glued = True
        elif word in _INLINE:
            if _INLINE[word]:
                out += ("" if is_glued or word == "Oc" else " ") + _INLINE[word]
                is_glued = word != "Oc"
        else:
            out += ("" if is_glued or word in _PUNCTUATION else " ") + word
            is_glued = False
    return out + closing + "".join(words[end:])


def _plain(text: str) -> str:
    """Text without escapes."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    if (name := match["two"] or match["name"]) is not None:
        if re.fullmatch(r"u[0-9A-Fa-f]{4,6}", name):
            return chr(min(int(name[1:], 16), 0x10FFFF))
        return _CHARACTERS.get(name, "")
    if (string := match["string2"] or match["string"] or match["string1"]) is not None:
        return _STRINGS.get(string, "")
    return _ONE.get(match["one"] or "", "")
