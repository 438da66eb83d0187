import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.cleaning.clean import clean_texts
from lib.corpus.cleaning.personal_data import KINDS, is_bank_card, is_email, is_id_number, is_ip_address, is_phone
from lib.settings.corpus import CleaningSettings


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("11010519491231002X", True),  # the example in GB 11643
        ("11010519491231002x", True),
        ("110105194912310021", False),
        ("110105194902310021", False),
        ("160105194912310021", False),
        ("110105491231002", True),
        ("110105491331002", False),
    ],
)
def test_id_number(number: str, expected: bool) -> None:
    assert is_id_number(number) is expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("4111111111111111", True),
        ("4111-1111-1111-1111", True),
        ("378282246310005", True),
        ("5555555555554444", True),
        ("4111111111111112", False),
        ("1111111111111117", False),  # Luhn, but no issuer
        ("9787020008728", False),
    ],
)
def test_bank_card(number: str, expected: bool) -> None:
    assert is_bank_card(number) is expected


@given(st.text("0123456789", min_size=15, max_size=15), st.sampled_from("123456789"))
def test_one_wrong_digit_makes_no_bank_card(digits: str, more: str) -> None:
    cards = [card for last in "0123456789" if is_bank_card(card := "4" + digits[1:] + last)]
    assert len(cards) == 1
    wrong = str((int(cards[0][7]) + int(more)) % 10)
    assert not is_bank_card(cards[0][:7] + wrong + cards[0][8:])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.119.86.101", True),
        ("1.80.22.4", False),  # as likely a version
        ("192.168.0.1", False),
        ("255.255.255.0", False),
        ("239.255.42.99", False),
        ("2400:3200:baba::1", True),
        ("2001:db8::1", False),  # for documentation only
        ("2400:3200:baba", False),
    ],
)
def test_ip_address(address: str, expected: bool) -> None:
    assert is_ip_address(address) is expected


def test_phone_and_email() -> None:
    assert is_phone("13812345678")
    assert is_phone("+49 30 123456")
    assert not is_phone("+20240101")
    assert is_email("a@example.org")
    assert not is_email("logo@2x.png")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("香港电话 2345 6789", "香港电话 [PHONE]"),
        ("台湾 0912-345-678", "台湾 [PHONE]"),
        ("86-13812345678", "[PHONE]"),
        ("微信号 wxid_abc12345，QQ：123456789", "微信号 [ACCOUNT]，QQ：[ACCOUNT]"),
        ("加VX: sunny_day88 详谈", "加VX: [ACCOUNT] 详谈"),
        ("护照 E12345678", "护照 [PASSPORT]"),
        ("车牌 京A·12345，粤BD12345", "车牌 [PLATE]，[PLATE]"),
        ("旧身份证 110105491231002。", "旧身份证 [ID_NUMBER]。"),
    ],
)
def test_what_points_to_a_person_is_masked(text: str, masked: str) -> None:
    assert clean_texts([text], CleaningSettings()) == [masked]


@pytest.mark.parametrize(
    "text",
    [
        "增长+100 000 000元，从 -2147483648 到 +2147483647",
        "订单 200001011234567 已发货",
        "微信支付、QQ音乐、微信 Windows 版",
        "苏A座 3 楼，川B站用户，浙C++ 语言",
        "他在 0912 年出生",
    ],
)
def test_look_alikes_of_personal_data_stay(text: str) -> None:
    assert clean_texts([text], CleaningSettings()) == [text]


@given(st.text("0123456789.+-()@ aX:/年", max_size=60))
def test_every_candidate_has_the_trigger(text: str) -> None:
    for kind in KINDS:
        for match in kind.candidate.finditer(text):
            if kind.is_one(match[0]):
                assert re.search(kind.trigger, text), (kind.name, match[0])
