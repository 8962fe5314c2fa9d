"""`parley man` and `parley completion`: nothing that the command line takes is missing in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from device.__main__ import main
from device.cli.manual import SHELLS, bash, contents, man
from device.credentials.api_key import KEY_FILE, VARIABLES
from device.credentials.credential import FOLDER

TOP = contents()
FLAGS = {flag for page in TOP.all() for option in page.options for flag in option.flags}


def test_the_contents_are_the_parsers() -> None:
    """A command, one below another, an option of each, an argument."""
    pages = {page.words: page for page in TOP.all()}
    assert {("run",), ("config", "check"), ("watch",), ("completion",)} <= set(pages)
    assert {"--help", "--config", "--socket", "--json"} <= FLAGS
    assert pages[("volume",)].options[-2].value in {"0-100", "PATH"}
    assert pages[("completion",)].help


def test_the_manual_page_has_every_command_and_option() -> None:
    """Each command has a heading of its own, with its options below it."""
    text = man(TOP).replace("\\-", "-")
    for page in TOP.below:
        for each in page.all():
            heading = ".SS parley " + " ".join(each.words)
            assert heading in text
            section = text.split(heading, 1)[1].split("\n.SS ")[0]
            for option in each.options:
                assert all(flag in section for flag in option.flags)
                assert option.value in section


def test_the_manual_page_says_where_keys_and_tokens_are_found() -> None:
    """As files of the service, and as variables where there is none."""
    text = man(TOP).replace("\\-", "-")
    for found in (KEY_FILE, f"{FOLDER}/NAME", *VARIABLES, "PARLEY_CREDENTIAL_NAME"):
        assert str(found) in text


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_each_shells_completion_has_every_command_and_option(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the command prints it."""
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for page in TOP.all():
        assert all(below.words[-1] in text for below in page.below)
    for flag in FLAGS:
        known = f"-l {flag[2:]} " if flag.startswith("--") else f"-s {flag[1:]} "
        assert (known if shell == "fish" else flag) in text


def completed(line: str) -> set[str]:
    """What bash offers at the end of this line."""
    script = f"""{bash(TOP)}
COMP_WORDS=({line} "$1"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
_parley; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", line.rpartition("|")[2] if "|" in line else ""],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes() -> None:
    """Commands, commands below them, options, choices; and files where a file is wanted."""
    assert {"run", "status", "config"} <= completed("parley")
    assert {"check", "show", "schema"} <= completed("parley config")
    assert {"--config", "--socket"} <= completed("parley config check")
    assert {"bash", "zsh", "fish"} <= completed("parley completion")
    assert {"call", "--json"} <= completed("parley tools")
    assert {"allow", "--json"} <= completed("parley spending")
    assert {"--period", "--json"} <= completed("parley spending allow")
    assert "--json" in completed("parley --socket /x status")
    assert "--json" not in completed("parley run")
    assert "pyproject.toml" in completed("parley run --config")


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_has_no_complaint() -> None:
    """And shows what was written."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"],
        input=man(TOP),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert "last_good.yaml" in done.stdout.replace("_\b", "")


def test_the_manual_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """For `man -l -`, and for the installer."""
    assert main(["man"]) == 0
    assert capsys.readouterr().out == man(TOP)
