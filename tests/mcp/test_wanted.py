"""What is shown of a configured server, and what never is."""

from __future__ import annotations

from device.mcp.wanted import HIDDEN, Wanted, shown_url


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    """No name, no password, no query and no fragment."""
    url = "https://me:hunter2@home.local:8123/api/mcp?token=abc#part"
    assert shown_url(url) == "https://home.local:8123/api/mcp"
    assert Wanted("home", url=url).place == "https://home.local:8123/api/mcp"


def test_what_is_no_address_is_not_shown() -> None:
    """A URL that cannot be taken apart may hold anything."""
    assert shown_url("http://[::1/secret") == "an address that is none"


def test_a_command_is_shown_without_its_arguments() -> None:
    """A token among them stays there."""
    assert Wanted("music", command=("/usr/bin/music", "--token", "abc")).place == "/usr/bin/music"
    assert Wanted("music").place == ""


def test_a_secret_is_in_no_repr_and_blotted_out_of_texts() -> None:
    """Whoever logs a configured server, or repeats what it said, tells nothing."""
    wanted = Wanted("home", url="http://home.local", secret="hunter22")
    assert "hunter22" not in repr(wanted)
    assert wanted.blot("token hunter22 is wrong") == f"token {HIDDEN} is wrong"


def test_what_is_too_short_for_a_secret_is_left() -> None:
    """Blotting out single letters would make every text unreadable."""
    assert Wanted("home", secret="ab").blot("a cab") == "a cab"
    assert Wanted("home").blot("a cab") == "a cab"
