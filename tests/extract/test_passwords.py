import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.passwords import _CUE, LEARNED, MOST, NAMED, TRIES, Passwords, _cues

FIRST = 10
"""Attempts in which what a text calls its password is among those made: the slowest formats make no more."""


def learned(text: str) -> tuple[str, ...]:
    passwords = Passwords()
    passwords.learn(text)
    return passwords.learned


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("解压密码：Xk9#2024", "Xk9#2024"),
        ("附件密码是123456，请查收。", "123456"),
        ("附件已加密，密码为abc123请注意保密", "abc123"),
        ("密码123456", "123456"),
        ("密码 secret", "secret"),
        ("口令：“天王盖地虎”", "天王盖地虎"),
        ("提取码: x7dq 复制这段内容", "x7dq"),
        ("压缩包解压码如下：\r\n\r\n   Qwer!234\r\n", "Qwer!234"),
        ("打开密码\n888888\n", "888888"),
        ("密 码：１２３４５６", "123456"),
        ("密碼：台北101", "台北101"),
        ("【密码】abc-2024", "abc-2024"),
        ("Password: hunter2.", "hunter2"),
        ("Password: hunter2.", "hunter2."),
        ("The password is Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("the password for the attached file is: open-Sesame1", "open-Sesame1"),
        ("pw = 'a b'", "a"),
        ("passphrase: correct horse battery staple", "correct horse battery staple"),
        ("PIN 4711", "4711"),
        ("Passcode → 9f8e7d", "9f8e7d"),
        ("Kennwort: geheim", "geheim"),
        ("password -> *stars*", "*stars*"),
    ],
)
def test_what_a_text_calls_a_password_is_tried_first(text: str, password: str) -> None:
    filler = "The order AB-1234 of 2024-01-01 (ref. X9Y8Z7) for k1@example.com, see https://example.com/a1b2.\n" * 50
    for around in (text, f"{filler}{text}", f"{text}\n{filler}"):
        assert password in learned(around)[:FIRST]


@pytest.mark.parametrize("word", ["Xk9#2024", "20240101a", "sec!ret"])
def test_a_word_that_looks_like_one_is_tried(word: str) -> None:
    assert word in learned(f"see {word} please")


def test_a_name_gives_what_it_calls_a_password() -> None:
    passwords = Passwords()
    passwords.learn("IMG_2024a", called=True)
    passwords.learn("资料(密码Xk92).zip", called=True)
    assert passwords.learned[0] == "Xk92"
    assert "IMG_2024a" not in passwords.learned


def test_a_line_that_is_one_word_comes_before_what_only_looks_like_one() -> None:
    found = learned("please see order A1B2C3 and D4E5F6.\n\n  246810  \n\nregards")
    assert found[0] == "246810"


@pytest.mark.parametrize(
    "text", ["ordinary words only", "k1@example.com", "https://example.com/x1", "2024-01-01 12:30", "your password expires soon"]
)
def test_ordinary_words_are_none(text: str) -> None:
    assert learned(text) == ()


def test_the_given_come_before_all_but_the_first_that_are_called_so() -> None:
    passwords = Passwords(["given", "given", "second"])
    passwords.learn("look like1.\n" + "\n".join(f"password: named{number}" for number in range(NAMED + 1)))
    named = tuple(f"named{number}" for number in range(NAMED))
    assert passwords.candidates[: NAMED + 4] == (*named, "given", "second", f"named{NAMED}", "like1")


def test_the_first_that_opens_ends_the_attempts() -> None:
    passwords = Passwords(["a", "b", "c"])
    tried: list[str] = []

    def attempt(password: str) -> str | None:
        tried.append(password)
        return password.upper() if password == "b" else None

    assert passwords.opened(attempt) == "B"
    assert tried == ["a", "b"]
    assert Passwords(["a", "b"]).opened(lambda _: None) is None


def test_attempts_and_candidates_are_bounded() -> None:
    passwords = Passwords()
    for start in range(0, 5_000, 1_000):
        passwords.learn("\n".join(f"password: x{number}" for number in range(start, start + 1_000)))
    assert len(passwords.learned) <= 3 * MOST
    tried: list[str] = []
    passwords.opened(lambda password: tried.append(password))
    assert len(tried) == TRIES
    assert not Passwords().learned


@pytest.mark.parametrize("unit", ["password ", "密码", "密码：", "is ", "a1" * 40, "password is ", ":" * 30, "( ", "x1 \n"])
def test_long_texts_are_searched_in_linear_time(unit: str) -> None:
    assert len(learned(unit * (2 * LEARNED // len(unit)))) <= 3 * MOST


@given(text=st.text(alphabet="密码口令是为：: \n\r\tpasword=is123#\"'“”（）", max_size=300))
def test_any_text_gives_words_of_bounded_length(text: str) -> None:
    assert all(0 < len(candidate) <= 64 for candidate in learned(text))


WORDS = (
    "密 码 碼 口令 暗号 解压 缩 提取码 开锁码 通行码 pass Password PASSWORT pwd PW psw pin Key kEnnwort Contraseña Парол ь "
    "パスワード 비밀번호 a İ K : is 1"
)
CUES = st.lists(st.sampled_from([*WORDS.split(), "mot de passe", " ", "\n"]))


@given(CUES.map("".join))
def test_the_fast_search_finds_what_the_whole_pattern_does(text: str) -> None:
    assert [cue.span() for cue in _cues(text)] == [cue.span() for cue in _CUE.finditer(text)]
