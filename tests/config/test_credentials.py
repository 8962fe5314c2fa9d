"""Where the API key comes from, and that it never shows."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from device.api_key import MAX_CHARACTERS
from device.config.credentials import ApiKey, find_api_key, forget_in
from device.errors import CredentialError

KEY = "AIzaSyA-1234567890abcdefghijklmnopqrstu"


def credentials(tmp_path: Path, text: bytes) -> dict[str, str]:
    """Lay a credential where systemd would, and return the environment it would set."""
    (tmp_path / "gemini_api_key").write_bytes(text)
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


class TestOrder:
    def test_systemds_credential_comes_first(self, tmp_path: Path) -> None:
        """Then the two variables, Gemini's own before Google's."""
        environ = {"GOOGLE_API_KEY": "google", "GEMINI_API_KEY": "gemini"}
        file = tmp_path / "gemini_api_key"
        assert find_api_key(credentials(tmp_path, b"file\n") | environ) == ApiKey("file", str(file))
        assert find_api_key(environ) == ApiKey("gemini", "GEMINI_API_KEY")
        assert find_api_key({"GOOGLE_API_KEY": "google"}) == ApiKey("google", "GOOGLE_API_KEY")

    def test_a_directory_without_the_file_is_passed_over(self, tmp_path: Path) -> None:
        """Other credentials may have been handed over."""
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "GEMINI_API_KEY": KEY}
        assert find_api_key(environ).source == "GEMINI_API_KEY"

    def test_a_broken_key_is_not_replaced_by_another(self, tmp_path: Path) -> None:
        """An owner who mistypes the key learns it, rather than pay with somebody else's."""
        environ = credentials(tmp_path, b"two words") | {"GEMINI_API_KEY": KEY}
        with pytest.raises(CredentialError, match="gemini_api_key has a space"):
            find_api_key(environ)

    @pytest.mark.parametrize("empty", ["", " \t\r\n"])
    def test_an_empty_place_is_passed_over(self, tmp_path: Path, empty: str) -> None:
        """The installer makes the file before anybody has a key; it hides no other."""
        environ = credentials(tmp_path, empty.encode()) | {"GEMINI_API_KEY": empty}
        found = find_api_key(environ | {"GOOGLE_API_KEY": KEY})
        assert found == ApiKey(KEY, "GOOGLE_API_KEY")
        with pytest.raises(CredentialError) as caught:
            find_api_key(environ)
        assert str(caught.value).startswith(
            f"no API key found (the key file {tmp_path}/gemini_api_key and the variable "
            "GEMINI_API_KEY are empty): write one into"
        )
        with pytest.raises(CredentialError, match=r"\(the variable GOOGLE_API_KEY is empty\): "):
            find_api_key({"GOOGLE_API_KEY": empty})

    def test_without_any_key_all_three_places_are_named(self) -> None:
        """And the file to write it into on an installed speaker."""
        with pytest.raises(CredentialError) as caught:
            find_api_key({"CREDENTIALS_DIRECTORY": ""})
        said = str(caught.value)
        for place in (
            "$CREDENTIALS_DIRECTORY/gemini_api_key",
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "/etc/parley/credentials/gemini_api_key",
        ):
            assert place in said


class TestContent:
    def test_whitespace_around_the_key_is_dropped(self, tmp_path: Path) -> None:
        """Editors end files with a line break, Windows with two characters."""
        assert find_api_key(credentials(tmp_path, f"\r\n  {KEY}\t\r\n".encode())).secret == KEY
        assert find_api_key({"GEMINI_API_KEY": f" {KEY}\n"}).secret == KEY

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("two words", "has a space or a line break in the middle"),
            (f"{KEY}\n{KEY}", "has a space or a line break in the middle"),
            ("caf\u00e9", "has a character that no key has"),
            ("bell\x07", "has a character that no key has"),
            (f'"{KEY}"', "has quotes or a variable's name around the key"),
            (f"GEMINI_API_KEY={KEY}", "has quotes or a variable's name around the key"),
            ("x" * (MAX_CHARACTERS + 1), f"is longer than {MAX_CHARACTERS} characters"),
        ],
    )
    def test_what_cannot_be_a_key_is_refused_without_showing_it(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        """Each with what to do, from the file and from the environment."""
        file = credentials(tmp_path, text.encode())
        for environ, remedy in (
            (file, "only that, into /etc/parley/credentials/gemini_api_key, and restart"),
            (
                {"GOOGLE_API_KEY": text},
                "the key from https://aistudio.google.com, and only that, into GOOGLE_API_KEY",
            ),
        ):
            with pytest.raises(CredentialError) as caught:
                find_api_key(environ)
            shown = "".join(traceback.format_exception(caught.value))
            assert said in shown
            assert remedy in shown
            assert KEY not in shown
            assert "two words" not in str(caught.value)

    def test_a_file_of_any_size_and_content_is_an_error_only(self, tmp_path: Path) -> None:
        """Not UTF-8, endless: said like any other."""
        with pytest.raises(CredentialError, match="no key has"):
            find_api_key(credentials(tmp_path, b"\xff\xfe\x00"))
        with pytest.raises(CredentialError, match="longer than"):
            find_api_key(credentials(tmp_path, b"k" * 5_000_000))

    def test_a_file_that_cannot_be_read_is_told_with_its_reason(self, tmp_path: Path) -> None:
        """A directory in its place stands for every other trouble."""
        (tmp_path / "gemini_api_key").mkdir()
        with pytest.raises(CredentialError, match="cannot be read: is a directory"):
            find_api_key({"CREDENTIALS_DIRECTORY": str(tmp_path)})


class TestSecrecy:
    def test_a_key_does_not_show_when_printed(self) -> None:
        """Neither in a log line, nor in a traceback's locals, nor formatted."""
        key = ApiKey(KEY, "GEMINI_API_KEY")
        assert KEY not in f"{key!r} {key} {[key]}"
        assert "GEMINI_API_KEY" in repr(key)

    def test_the_environment_forgets_the_key_and_nothing_else(self) -> None:
        """google-genai would otherwise prefer GOOGLE_API_KEY, and children inherit both."""
        environ = {"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b", "HOME": "/"}
        forget_in(environ)
        forget_in(environ)
        assert environ == {"HOME": "/"}
