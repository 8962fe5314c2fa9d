"""What leaves the machine by a person's hand holds no secret."""

from __future__ import annotations

import pytest

from device.doctor.redaction import BLOT, Redactor, secrets_in_file, secrets_in_yaml

KEY = "zq-planted-key-4711-of-nobody"


def test_a_known_secret_is_blotted_wherever_it_stands() -> None:
    """Also cut short, as reasons of the server are."""
    redactor = Redactor([KEY, "", "short"])
    assert redactor.text(f"a {KEY} b{KEY}c") == f"a {BLOT} b{BLOT}c"
    assert KEY[:14] not in redactor.text(f"reason: {KEY[:16]}")
    assert redactor.text("a short word stays") == "a short word stays"
    assert Redactor(["eightlet"]).text("an eightlet") == f"an {BLOT}"


def test_what_a_file_holds_around_a_secret_does_not_hide_it() -> None:
    """Quotes, the name of a variable, or the word that stands before it in a request."""
    for text in (f"'{KEY}'\n", f"PARLEY_CREDENTIAL_HOME={KEY}", f'x="{KEY}"', f"Bearer {KEY}"):
        assert KEY not in Redactor(secrets_in_file(text)).text(f"said {KEY} aloud")
    assert secrets_in_file(" \n") == []


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhYmMiLCJpYXQiOjE3MDB9.Zm9vYmFyYmF6cXV4LXBs_YW5",
        "eyJhbGciOiJIUzI1NiIsI",
        "ghp_0123456789abcdefghij",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "AQ.Ab8RN6Kabcdefghijklmnop",
        "ya29.a0AfH6SMBx0123456789",
        "sk-0123456789abcdefghij",
        "auth_tokens/4969d96da97639001864b5be08549d58",
        "auth_tokens/4969d96d",
        "auth_tokens/4969d96d.a976~39+00=186",
    ],
)
def test_keys_are_known_by_their_look(secret: str) -> None:
    """And by what stands before them."""
    redactor = Redactor([])
    assert secret not in redactor.text(f"x {secret} y")
    assert redactor.text("wss://host/ws?key=abc&alt=x") == f"wss://host/ws?key={BLOT}&alt=x"
    proxy = "proxy http://aunt:hunter2@proxy.home:3128 failed"
    assert redactor.text(proxy) == f"proxy http://{BLOT}@proxy.home:3128 failed"
    assert "hunter2hunter2" not in redactor.text("Authorization: Bearer hunter2hunter2")
    assert redactor.text("http://h/mcp?access_token=abc") == f"http://h/mcp?access_token={BLOT}"


def test_strictly_nothing_random_is_left() -> None:
    """A session's handle, for one; names and paths stay."""
    redactor = Redactor([])
    handle = "Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5"
    assert handle in redactor.text(handle)
    assert redactor.text(f"handle {handle}", strict=True) == f"handle {BLOT}"
    for plain in (
        "gemini-3.1-flash-live-preview",
        "/opt/parley/releases/0.1.0/lib/python3.13/site-packages",
        "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)",
    ):
        assert redactor.text(plain, strict=True) == plain


def test_all_of_a_record_is_blotted() -> None:
    """Names, lists and what is deep inside; numbers stay."""
    record = {"a": [f"x{KEY}", 5, None, {"b": (KEY,)}], KEY: True}
    assert Redactor([KEY]).value(record) == {
        "a": [f"x{BLOT}", 5, None, {"b": [BLOT]}],
        BLOT: True,
    }


def test_what_was_made_can_be_searched() -> None:
    """For the known ones."""
    redactor = Redactor([KEY])
    assert redactor.holds(f"x{KEY}y".encode())
    assert not redactor.holds(b"nothing")


def test_keys_in_a_configuration_are_found_by_their_names() -> None:
    """Whatever they look like."""
    text = (
        f"live: {{api_key: {KEY}, model: a}}\nGEMINI_API_KEY: 'second-secret'\n"
        'password: "third-secret"\n'
        "compression: {trigger_tokens: 25600}\n"
    )
    assert secrets_in_yaml(text) == [KEY, "second-secret", "third-secret"]
