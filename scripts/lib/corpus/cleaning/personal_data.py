"""Personal data: addresses and numbers that point to a person, replaced by placeholders such as [EMAIL].

Each kind has a pattern for a quick look, a pattern for what may be one, and a test for what is one: dates, versions,
ISBNs and numbers that fail their checksum stay.

datatrove's formatter (0.10.1) knows two of these eight kinds, e-mail and IP addresses. Telephone numbers of other
countries are checked by the library phonenumbers.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

from lib.text.series import mapped


@dataclass(frozen=True)
class Kind:
    """A kind of personal data."""

    name: str
    placeholder: str
    trigger: str
    """For Rust: matches in every text that holds one."""
    candidate: re.Pattern[str]
    is_one: Callable[[str], bool]

    def mask(self, texts: pl.Series) -> pl.Series:
        """`texts` with placeholders."""
        return mapped(texts, lambda text: self.candidate.sub(self._replacement, text))

    def _replacement(self, match: re.Match[str]) -> str:
        """The match with a placeholder for all of it, or for the named group that ends it when the rest is context."""
        value = next(filter(None, match.groupdict().values()), match[0])
        return match[0].removesuffix(value) + self.placeholder if self.is_one(value) else match[0]


_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
# `logo@2x.png` is a picture, `git@host.org:user/repository` an address of no person.
_FILE_ENDINGS = {"png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico", "js", "css", "json", "html", "pdf", "zip"}


def is_email(text: str) -> bool:
    """Whether a text of the form name@host is an e-mail address."""
    return not text.startswith("git@") and text.rpartition(".")[2].lower() not in _FILE_ENDINGS


_MOBILE = r"1(?:3[0-9]|4[01456789]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])([- ]?)[0-9]{4}\1[0-9]{4}"
_AREA = r"0(?:10|2[0-9]|[3-9][0-9]{2})"
_LANDLINE = rf"(?:[(（]{_AREA}[)）][- ]?|{_AREA}-)[1-9][0-9]{{6,7}}(?:-[0-9]{{1,5}})?"
_PHONE = re.compile(
    rf"(?<![A-Za-z0-9._/=])(?<![0-9]-)(?:(?:(?:\+|00)86[- ]?|86[- ])?{_MOBILE}|{_LANDLINE}"
    # Taiwan's mobile telephones, and Hong Kong's numbers where they are called so.
    r"|\+86[- ]?[1-9][0-9]{1,2}[- ]?[0-9]{7,8}|09[0-9]{2}([- ])[0-9]{3}\2?[0-9]{3}"
    r"|(?:电话|電話|手机|手機|致电|致電)(?:号码|號碼)?[:：]? ?(?P<value>[2-9][0-9]{3}[- ]?[0-9]{4})"
    r"|(?<![)\]])\+(?!86)[1-9][0-9]{0,2}(?:[ -]?(?:\([0-9]{1,4}\)|[0-9]{1,12})){1,6})(?![A-Za-z0-9_])(?![.-][0-9])"
)


def is_phone(text: str) -> bool:
    """Whether a number can be a telephone's: an international one by the numbering plans that phonenumbers knows."""
    if not text.startswith("+"):
        return True
    import phonenumbers  # 0.2 s, and few texts hold such numbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


_ID_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?:[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14})(?![A-Za-z0-9])")
_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
}
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_id_number(text: str) -> bool:
    """Whether digits are a Chinese identity number (GB 11643): province, date of birth, ISO 7064 checksum.

    One of 15 digits, as they were until 1999, has a year of two digits and no checksum.
    """
    if int(text[:2]) not in _PROVINCES:
        return False
    is_old = len(text) == 15
    if is_old:
        text = f"{text[:6]}19{text[6:]}"
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    if is_old:
        return True
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, text, strict=False))
    return born.year >= 1850 and "10X98765432"[total % 11] == text[17].upper()


_BANK_CARD = re.compile(
    r"(?<![A-Za-z0-9._-])(?:[2-69][0-9]{12,18}|[2-69][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7})"
    r"(?![A-Za-z0-9_])(?![.-][0-9])"
)
# Visa, Mastercard, American Express, JCB, UnionPay, and the numbers that ICBC issued before UnionPay.
_ISSUERS = re.compile(
    r"4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|35[0-9]{14}|62[0-9]{14,17}|9558[0-9]{15}"
)


def is_bank_card(text: str) -> bool:
    """Whether a number begins like one of a bank card, is as long, and passes Luhn's test (ISO/IEC 7812)."""
    digits = text.replace(" ", "").replace("-", "")
    if not _ISSUERS.fullmatch(digits):
        return False
    doubled = [sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP_ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9._])(?<![A-Za-z]/)(?<!版本)(?<!版本 )(?<![Vv]ersion )"
    rf"(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?[A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![A-Za-z0-9_:.])"
)
_LEAST_PART = 100


def is_ip_address(text: str) -> bool:
    """Whether four numbers, or up to eight groups of hexadecimals, are an address that the Internet may know one by.

    Private, reserved and multicast addresses and net masks are nobody's. Four parts below 100 are the number of a
    version or a section, or decimals that lost the blanks between them; 2 % of all addresses are like that, too.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    is_number = address.version == 4 and max(address.packed) < _LEAST_PART
    return address.is_global and not address.is_multicast and not is_number


_ACCOUNT = re.compile(
    r"(?:(?<![A-Za-z])[Qq][Qq](?:号码|号|號|群号|群)?[:：是]? ?|企鹅号[:：]? ?)"
    r"(?P<value>[1-9][0-9]{4,10})(?![0-9A-Za-z])"
    r"|(?:微信号?|微信號|(?<![A-Za-z])(?:[Vv][Xx]|WeChat|wechat|weixin))[:：是]? ?"
    r"(?P<wechat>[A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_-])"
)
_PASSPORT = re.compile(
    r"(?:护照|護照)(?:号码|号|號碼|號)?[:：是]? ?(?P<value>(?:[DEGPS][A-Z]?|1[45])[0-9]{7,8})(?![0-9A-Za-z])"
)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·•・ ]?"
    r"(?=[A-HJ-NP-Z]{0,2}[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
)
# What may stand behind 微信 in an ordinary sentence.
_NO_ACCOUNTS = {"android", "windows", "wechat", "weixin", "iphone", "github", "google"}


def is_account(text: str) -> bool:
    """Whether a name can be an account's: an English word in lower case behind 微信 hardly is one."""
    return text.lower() not in _NO_ACCOUNTS and (not text.isalpha() or text.startswith("wxid"))


# In this order: an identity number could pass for a card, a card could hold the digits of a telephone.
KINDS = (
    Kind("email", "[EMAIL]", "[A-Za-z0-9_+-]@[A-Za-z0-9]", _EMAIL, is_email),
    Kind("id_number", "[ID_NUMBER]", "[0-9]{15}|[0-9]{17}[0-9Xx]", _ID_NUMBER, is_id_number),
    Kind("account", "[ACCOUNT]", r"[Qq][Qq]|企鹅号|微信|[Vv][Xx]|WeChat|wechat|weixin", _ACCOUNT, is_account),
    Kind("passport", "[PASSPORT]", "[护護]照", _PASSPORT, lambda text: True),
    Kind("plate", "[PLATE]", r"\p{Han}[A-HJ-NP-Z][·•・ ]?[A-HJ-NP-Z0-9]{4}", _PLATE, lambda text: True),
    Kind("bank_card", "[BANK_CARD]", "[0-9]{13}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}", _BANK_CARD, is_bank_card),
    Kind(
        "phone",
        "[PHONE]",
        r"1[3-9][0-9][- ]?[0-9]{4}|0[1-9][0-9]{1,2}(?:-|[)）][- ]?)[0-9]{7}|\+[1-9]|09[0-9]{2}[- ][0-9]{3}"
        r"|(?:[电電]话|電話|手[机機]|致[电電])(?:号码|號碼)?[:：]? ?[2-9][0-9]{3}",
        _PHONE,
        is_phone,
    ),
    Kind(
        "ip_address", "[IP_ADDRESS]", r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[23][0-9A-Fa-f]{3}:", _IP_ADDRESS, is_ip_address
    ),
)
