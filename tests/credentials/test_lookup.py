"""Where the API key comes from, and that it never shows."""

from __future__ import annotations

import traceback
from contextlib import nullcontext
from pathlib import Path

import pytest

from device.credentials.api_key import MAX_CHARACTERS
from device.credentials.credential import MAX_CHARACTERS as MAX_TOKEN_CHARACTERS
from device.credentials.lookup import (
    MOST_BYTES,
    ApiKey,
    Credential,
    Credentials,
    find_api_key,
    find_credential,
    find_machine_key,
    forget_in,
    hindrances,
    without_secrets,
)
from device.errors import CredentialError

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0.c2lnbmF0dXJl"
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

    def test_a_service_that_was_handed_nothing_is_told_where_to_look(self, tmp_path: Path) -> None:
        """The owner's files may be there: it cannot see them, and a key put there does not help."""
        service = {"NOTIFY_SOCKET": "/run/systemd/notify"}
        nothing = "systemd hands over no credential at all to this service"
        other = {**service, "CREDENTIALS_DIRECTORY": str(tmp_path)}
        (tmp_path / "something-else").write_text("x")
        for environ, said in (
            (service, nothing),
            (other, "systemd hands over no gemini_api_key to this service"),
            (
                {**other, "CREDENTIALS_DIRECTORY": str(tmp_path / "gone")},
                "systemd hands over no gemini_api_key to this service",
            ),
        ):
            with pytest.raises(CredentialError) as caught:
                find_api_key(environ)
            told = str(caught.value)
            assert told.startswith(
                f"no API key found: {said}: what lies in /etc/parley/credentials"
            )
            assert "systemctl cat parley" in told
            line = "LoadCredential=gemini_api_key:/etc/parley/credentials/gemini_api_key"
            assert line in told
            assert find_api_key({**environ, "GEMINI_API_KEY": KEY}).secret == KEY
        for place, said in (
            (service, nothing),
            (other, "systemd hands over no credentials.d to this service"),
        ):
            with pytest.raises(CredentialError) as caught:
                Credentials(place).find("home")
            told = str(caught.value)
            assert told.startswith(f"no credential 'home' found: {said}: ")
            assert "add LoadCredential=credentials.d:/etc/parley/credentials there" in told
        # The unit's copy of the folder has the key at least; this token is not among the files.
        (tmp_path / "credentials.d_gemini_api_key").write_text(KEY)
        with pytest.raises(CredentialError, match=r"'home' found: put the token into /etc/parley"):
            find_credential("home", other)
        # What was handed over and is empty is to be filled.
        (tmp_path / "gemini_api_key").write_text("")
        with pytest.raises(CredentialError, match=r"gemini_api_key is empty\): write one into"):
            find_api_key(other)

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
        environ["PARLEY_CREDENTIAL_HOME"] = TOKEN
        assert without_secrets(environ) == {"HOME": "/"}
        forget_in(environ)
        forget_in(environ)
        assert environ == {"HOME": "/"}


class TestCredentials:
    """The secrets of other servers, which lie beside the key."""

    def test_systemds_copies_come_before_the_variable(self, tmp_path: Path) -> None:
        """One that was handed over under its own name is the owner's doing, and comes first."""
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "PARLEY_CREDENTIAL_HA_2": "variable"}
        found = find_credential("ha-2", environ)
        assert found == Credential("ha-2", "variable", "PARLEY_CREDENTIAL_HA_2")
        copy = tmp_path / "credentials.d_ha-2"
        copy.write_text("copy\n")
        assert find_credential("ha-2", environ) == Credential("ha-2", "copy", str(copy))
        own = tmp_path / "ha-2"
        own.write_text("own\n")
        assert find_credential("ha-2", environ) == Credential("ha-2", "own", str(own))

    def test_the_owners_folder_can_be_looked_at_too(self, tmp_path: Path) -> None:
        """As the doctor does from outside of the service."""
        (tmp_path / "home").write_text(TOKEN)
        assert find_credential("home", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).secret == TOKEN

    @pytest.mark.parametrize(
        "written", [f"{TOKEN}\n", f"\r\n Bearer {TOKEN}\t\r\n", f"bearer  {TOKEN}"]
    )
    def test_what_stands_around_it_is_dropped(self, tmp_path: Path, written: str) -> None:
        """Line breaks of editors, and the word that stands before it in a request."""
        (tmp_path / "credentials.d_home").write_text(written)
        for environ in (
            {"CREDENTIALS_DIRECTORY": str(tmp_path)},
            {"PARLEY_CREDENTIAL_HOME": written},
        ):
            assert find_credential("home", environ).secret == TOKEN

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f"{TOKEN}\n{TOKEN}", "has a space or a line break in the middle"),
            (f"Authorization: Bearer {TOKEN}", "begins with the name of a header"),
            (f'"{TOKEN}"', "has quotes or a variable's name around the token"),
            (f"PARLEY_CREDENTIAL_HOME={TOKEN}", "has quotes or a variable's name around the token"),
            (f"{TOKEN}\u00fc", "has a character that no token has"),
            (TOKEN * 100, f"is longer than {MAX_TOKEN_CHARACTERS} characters"),
        ],
    )
    def test_what_cannot_be_a_token_is_refused_without_showing_it(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        """With what to do; and nothing else is taken in its place."""
        file = tmp_path / "credentials.d_home"
        file.write_text(text)
        remedies = {
            f"the credential file {file} {said}: put the token, and only that, into /etc/parley/"
            "credentials/home (sudo install -m 600 /dev/stdin /etc/parley/credentials/home) and "
            "restart parley.service, which gets its files when it starts (sudo systemctl restart "
            "parley)": {"CREDENTIALS_DIRECTORY": str(tmp_path), "PARLEY_CREDENTIAL_HOME": "good"},
            f"the variable PARLEY_CREDENTIAL_HOME {said}: put the token, and only that, into "
            "PARLEY_CREDENTIAL_HOME": {"PARLEY_CREDENTIAL_HOME": text},
        }
        for told, environ in remedies.items():
            with pytest.raises(CredentialError) as caught:
                find_credential("home", environ)
            assert str(caught.value) == told
            assert TOKEN not in "".join(traceback.format_exception(caught.value))

    def test_without_one_it_is_said_where_it_was_looked_for(self, tmp_path: Path) -> None:
        """And how to put it there in one line; what is empty is named."""
        (tmp_path / "credentials.d_home").write_text(" \n")
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        with pytest.raises(CredentialError) as caught:
            find_credential("home", environ)
        assert str(caught.value) == (
            f"no credential 'home' found (the credential file {tmp_path}/credentials.d_home is "
            "empty): put the token into /etc/parley/credentials/home (sudo install -m 600 "
            "/dev/stdin /etc/parley/credentials/home) and restart parley.service, which gets its "
            "files when it starts (sudo systemctl restart parley); or set PARLEY_CREDENTIAL_HOME"
        )
        with pytest.raises(CredentialError, match=r"^no credential 'home' found: put the token"):
            find_credential("home", {})
        with pytest.raises(
            CredentialError, match=r"\(the variable PARLEY_CREDENTIAL_HOME is empty"
        ):
            find_credential("home", {"PARLEY_CREDENTIAL_HOME": " "})

    def test_a_file_that_cannot_be_read_is_told_with_its_reason(self, tmp_path: Path) -> None:
        """A directory in its place stands for every other trouble."""
        (tmp_path / "home").mkdir()
        with pytest.raises(CredentialError, match=r"home cannot be read: is a directory: check"):
            find_credential("home", {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    @pytest.mark.parametrize("name", ["gemini_api_key", "../passwd", "a/b", "", "Home", TOKEN])
    def test_no_other_file_is_ever_read(self, tmp_path: Path, name: str) -> None:
        """The key of the Live API is told to no other server; a name leads to no other folder."""
        (tmp_path / "gemini_api_key").write_text(KEY)
        with pytest.raises(CredentialError) as caught:
            find_credential(name, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
        assert TOKEN not in str(caught.value)

    def test_they_are_found_when_the_environment_has_forgotten_them(self, tmp_path: Path) -> None:
        """At a reload; a file that has changed meanwhile is read anew."""
        environ = {
            "CREDENTIALS_DIRECTORY": str(tmp_path),
            "PARLEY_CREDENTIAL_HOME": TOKEN,
            "HOME": "/",
        }
        credentials = Credentials(environ)
        forget_in(environ)
        assert environ == {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOME": "/"}
        assert credentials.find("home").secret == TOKEN
        (tmp_path / "home").write_text("renewed")
        assert credentials.find("home").secret == "renewed"
        with pytest.raises(CredentialError, match="no credential 'other' found"):
            credentials.find("other")

    def test_what_keeps_the_speaker_from_starting_is_named(self, tmp_path: Path) -> None:
        """As systemd 252 and 257 judged such files; those of an editor are nothing to them."""
        for name in ("gemini_api_key", "home", "home~", ".home.swp", "with space"):
            (tmp_path / name).write_text(TOKEN)
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "deeper").write_text(TOKEN)
        (tmp_path / "a:link").symlink_to("/dev/zero")
        assert hindrances(tmp_path) == []
        assert hindrances(tmp_path / "not there") == []
        (tmp_path / "folder" / "b\u00fcro").touch()
        (tmp_path / "a:b").touch()
        (tmp_path / "large").write_bytes(bytes(MOST_BYTES))
        named, of_a_letter, large = sorted(hindrances(tmp_path))
        assert named.startswith(f"'{tmp_path}/a:b' has a name that systemd hands over no file of")
        assert of_a_letter.startswith(f"'{tmp_path}/folder/b\u00fcro' has a name that systemd")
        assert large.startswith(f"the files in {tmp_path} have 100")
        assert large.endswith(f"leave only tokens there, at most {MOST_BYTES} bytes")

    def test_none_shows_when_printed(self) -> None:
        """Neither the one found, nor what finds it."""
        credentials = Credentials({"PARLEY_CREDENTIAL_HOME": TOKEN})
        found = credentials.find("home")
        assert TOKEN not in f"{found!r} {found} {[found]} {credentials!r} {credentials}"
        assert "PARLEY_CREDENTIAL_HOME" in repr(found)


def test_the_key_of_a_machine_is_found_from_outside_of_its_service(tmp_path: Path) -> None:
    """As root finds it: what the environment names, systemd's copy, the owner's own file."""
    kept = tmp_path / "etc/parley/credentials/gemini_api_key"
    copy = tmp_path / "run/credentials/parley.service/gemini_api_key"
    for file, key in ((kept, f"{KEY}-kept"), (copy, f"{KEY}-copy")):
        with pytest.raises(CredentialError) if file is kept else nullcontext():
            find_machine_key({}, tmp_path)
        file.parent.mkdir(parents=True)
        file.write_text(key)
        assert find_machine_key({}, tmp_path).secret == key
    assert find_machine_key({"GEMINI_API_KEY": KEY}, tmp_path).secret == KEY
    with pytest.raises(CredentialError, match="GEMINI_API_KEY has a space"):
        find_machine_key({"GEMINI_API_KEY": "a b"}, tmp_path)
