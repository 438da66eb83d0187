"""What is secret in an address is in the environment until a request is made, and nowhere else."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.core.credentials import cleaned, login, revealed, with_references, without_secrets
from lib.core.errors import UserError

SECRET = "s3cr3tV4lue"
NAMES = [
    *(
        "token",
        "access_token",
        "sig",
        "signature",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "X-Goog-Signature",
        "key",
    ),
    *("api_key", "apikey", "password", "Policy", "client_secret", "auth", "se", "Key-Pair-Id", "OSSAccessKeyId"),
]
HARMLESS = ["id", "page", "format", "author", "versionId", "lang", "design"]
WORDS = st.text("abcXYZ019-_~", min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """The environment as it was."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An address with a secret somewhere in its query or fragment, among harmless parameters."""
    host, path = draw(WORDS), "/".join(draw(st.lists(WORDS, max_size=3)))
    parameters = [f"{name}={value}" for name, value in draw(st.dictionaries(st.sampled_from(HARMLESS), WORDS)).items()]
    parameters.insert(draw(st.integers(0, len(parameters))), f"{draw(st.sampled_from(NAMES))}={SECRET}")
    mark = draw(st.sampled_from("?#"))
    return f"{draw(st.sampled_from(['https', 'http', 's3']))}://{host}.example/{path}{mark}{'&'.join(parameters)}"


@given(
    addresses(), st.sampled_from(["", "see ", "(", "'"]), st.sampled_from(["", ": the server answers 403", ")", "."])
)
@example("https://a.example/x?url=https%3A%2F%2Fb.example%3Ftoken%3Ds3cr3tV4lue", "", "")
@example("https://a.example/x?eyJs3cr3tV4lue", "", "")
@example("https://me:s3cr3tV4lue@a.example/x", "", ": no")
@example("https://me:s3cr3t/s3cr3tV4lue@a.example/x", "", "")
@example("https://s3cr3tV4lue@a.example/x?id=1", "", "")
def test_no_text_shows_a_secret(address: str, before: str, behind: str) -> None:
    public = without_secrets(f"{before}{address}{behind}")
    assert SECRET not in public
    assert public.startswith(f"{before}{address.partition('://')[0]}://")
    assert public.endswith(behind)
    assert without_secrets(public) == public
    assert SECRET not in str(cleaned({"a": [address, {"b": (address,)}]}))


@given(st.dictionaries(st.sampled_from(HARMLESS), WORDS), st.text())
@example({}, "hf:org/name@main/data.jsonl?config=a&split=b")
@example({}, "mail me@home.example, or see https://a.example/b@c;d=token")
def test_other_text_stays_as_it_is(parameters: dict[str, str], text: str) -> None:
    address = f"https://a.example/x?{'&'.join(f'{name}={value}' for name, value in parameters.items())}"
    assert without_secrets(address) == address
    if "://" not in text or "example" in text:
        assert without_secrets(text) == text


@given(addresses())
def test_a_request_gets_the_address_as_it_was_given(address: str) -> None:
    reference = with_references(address, "corpus.tsv: source news")
    assert SECRET not in reference
    assert revealed(reference) == address
    assert with_references(reference, "corpus.tsv: source news") == reference
    assert without_secrets(reference) == without_secrets(address)


def test_a_renewed_signature_leaves_the_reference_as_it_is() -> None:
    given = {"base_model": {"uri": "https://a.example/m.gguf?v=2&sig=old"}, "list": ["https://a.example/?token=1"]}
    before = with_references(given, "settings")
    given["base_model"]["uri"] = "https://a.example/m.gguf?v=2&sig=new"  # type: ignore[call-overload]
    assert with_references(given, "settings") == before
    assert revealed(before["base_model"]["uri"]) == "https://a.example/m.gguf?v=2&sig=new"
    assert before["base_model"]["uri"].startswith("https://a.example/m.gguf?v=2&sig=${GRAFTLINE_SECRET_")


def test_the_same_address_with_other_secrets_belongs_to_another_source() -> None:
    one, two = (with_references(f"https://a.example/x?token={name}", name) for name in ("one", "two"))
    assert (revealed(one), revealed(two)) == ("https://a.example/x?token=one", "https://a.example/x?token=two")


@pytest.mark.parametrize("address", ["https://me:s3cr3tV4lue@a.example/x", "s3://key:s3cr3tV4lue@bucket/x"])
def test_a_name_and_a_password_in_an_address_are_refused(address: str) -> None:
    with pytest.raises(
        UserError, match=r"^settings\.base_model\.uri: \S+: an address holds no name .* ~/\.netrc"
    ) as told:
        with_references({"base_model": {"uri": address}}, "settings")
    assert SECRET not in str(told.value)


def test_a_reference_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://a.example/${MY_KEY}/x"
    assert with_references(address, "x") == without_secrets(address) == address
    with pytest.raises(UserError, match="names MY_KEY, which the environment lacks"):
        revealed(address)
    monkeypatch.setenv("MY_KEY", "k1\n")
    assert revealed(address) == "https://a.example/k1/x"
    monkeypatch.setenv("MY_KEY", f"{SECRET}\nmore")
    with pytest.raises(UserError, match="line breaks") as told:
        revealed(address)
    assert SECRET not in str(told.value)


def test_a_login_from_the_users_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert login("https://a.example/x") == {}
    (tmp_path / "netrc").write_text("machine a.example login me password secret\ndefault login x password y\n")
    expected = base64.b64encode(b"me:secret").decode()
    assert login("https://a.example:8443/x") == {"Authorization": f"Basic {expected}"}
    assert login("https://b.example/x") == {}
    (tmp_path / "netrc").write_text(f"machine a.example password {SECRET} x\n")
    with pytest.raises(UserError, match=r"netrc cannot be read as a \.netrc") as told:
        login("https://a.example/x")
    assert SECRET not in str(told.value)
