"""Secrets in lines: what decodes, what follows the word, what is an example."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.normalise import fold
from dlp.detect.secrets_lines import LINE_VALIDATORS, basic_login, cased_token, told_password
from dlp.model import Part


def ask(validator: Validator, match: str, before: str = "", after: str = "") -> Judgement | None:
    text = before + match + after
    end = len(before) + len(match)
    return validator(Candidate(part=Part(text=text), text=text, start=len(before), end=end, folded=fold(match).text, string="x"))


@given(
    st.text(string.ascii_letters, min_size=1, max_size=12), st.text(string.ascii_letters + string.digits, min_size=9, max_size=20)
)
def test_a_login_in_base64_is_its_password(user: str, password: str) -> None:
    found = ask(basic_login, f'"auth": "{base64.b64encode(f"{user}:{password}".encode()).decode()}"')
    assert found is None or found == Judgement(value=password)


def test_base64_of_anything_else_is_no_login() -> None:
    assert ask(basic_login, f'"auth": "{base64.b64encode(bytes(range(30))).decode()}"') is None
    assert ask(basic_login, f'"auth": "{base64.b64encode(b"svc:Kd92lsQ8").decode()}"') == Judgement(value="Kd92lsQ8")


def test_a_prefix_in_another_case_is_chance() -> None:
    assert ask(cased_token, "dapi0a1b2c3d4e5f60718293a4b5c6d7e8f9") is not None
    assert ask(cased_token, "Dapi0a1b2c3d4e5f60718293a4b5c6d7e8f9") is None


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("密码是Kq7pLm2", True),
        ("密码为8-16位字符", False),
        ("password is required", False),
        ("password is Tr0ub4dor!", True),
        ("密码:zhang@corp.cn", False),
    ],
)
def test_passwords_people_tell(told: str, found: bool) -> None:
    assert (ask(told_password, told) is not None) == found


@given(
    text=st.text(alphabet="password=:@/{}<>$\"' 密码是aB3xK9+\n.", max_size=80), cut=st.integers(0, 80), size=st.integers(1, 60)
)
def test_validators_take_any_text(text: str, cut: int, size: int) -> None:
    start = min(cut, max(len(text) - 1, 0))
    match = text[start : start + size] or "x"
    for name, validator in LINE_VALIDATORS.items():
        if name != "spaced_password" or match.split():
            ask(validator, match, text[:start], text[start + size :])
