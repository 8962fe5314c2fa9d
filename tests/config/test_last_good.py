"""The settings in force last: kept whole, free of secrets, and never taken for something else."""

from __future__ import annotations

import logging
import os
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.build import checked_config
from device.config import Config, changes, parse
from device.config.last_good import FILE, LastGood
from device.config.view import flow
from device.config.yaml import read

OWNERS = Path("/etc/parley/config.yaml")


@pytest.fixture
def last_good(tmp_path: Path) -> LastGood:
    return LastGood(tmp_path / "state", OWNERS, parse)


def written(last_good: LastGood, body: str, of: Path = OWNERS) -> None:
    """Write what another version might have kept."""
    assert last_good.path is not None
    last_good.path.parent.mkdir(exist_ok=True)
    head = f"# {zlib.crc32(body.encode()):08x} was in force last, of {str(of)!r}"
    last_good.path.write_text(f"{head}\n{body}")


@pytest.mark.parametrize(
    ("kept", "there"),
    [
        (
            "tools: {mcp: [{name: camera, url: 'http://h.local/'}, {name: home, url: 'http://h.lan/'}]}",
            "tools: {mcp: [{name: home, url: 'http://h.lan/'}]}",
        ),
        (
            "wake: {words: [{model: /none/x.onnx}, {model: alexa, threshold: 0.6}]}",
            "wake: {words: [{model: alexa, threshold: 0.6}]}",
        ),
        ("wake: {words: [{model: /none/x.onnx}]}\naudio: {volume: 5}", "audio: {volume: 5}"),
        ("lights: {pins: [1, 99, 3]}\naudio: {volume: 5}", "audio: {volume: 5}"),
        ("live: {fallback_models: [a, '', b, '']}", "live: {fallback_models: [a, b]}"),
    ],
)
def test_of_a_list_only_what_is_wrong_is_left_out(tmp_path: Path, kept: str, there: str) -> None:
    """An upgrade that takes one word or one server no more takes none of the others away."""
    last_good = LastGood(tmp_path / "state", OWNERS, checked_config.parse)
    data = read(kept).data
    assert isinstance(data, dict)
    lines = [
        f"{section}:\n" + "".join(f"  {key}: {flow(value)}\n" for key, value in keys.items())
        for section, keys in data.items()
        if isinstance(keys, dict)
    ]
    written(last_good, "".join(lines))
    assert last_good.recall() == parse(there, "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "audio: {volume: 5, echo_cancellation: off}\nboard: flex",
        "live: {compression: {target_tokens: 5}, system_instruction: 'grüß\\n dich: #'}",
        "wake: {words: [{model: alexa, threshold: 0.25}, {model: hey_jarvis}]}",
        "lights: {night: 22:00-07:00, off_states: [idle], pins: [1, 2, 3]}",
    ],
)
def test_what_was_in_force_comes_back(last_good: LastGood, text: str) -> None:
    """The same settings, whichever way the owner wrote them."""
    config = parse(text, "config.yaml")
    assert last_good.recall() is None
    last_good.keep(config)
    assert last_good.exists
    assert last_good.recall() == config


@settings(deadline=None, max_examples=100)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60),
    volume=st.integers(0, 100),
    threshold=st.floats(0.4, 1.0),
)
def test_any_text_stays_on_its_line(text: str, volume: int, threshold: float) -> None:
    """One setting a line, so that one can be left out; and it reads back as the same."""
    config = Config.model_validate(
        {
            "live": {"system_instruction": text},
            "audio": {"volume": volume},
            "wake": {"words": ({"model": "alexa", "threshold": threshold},)},
        }
    )
    body = changes(config)
    assert parse(body, "kept.yaml") == config
    settings_there = {line.split(":")[0].strip() for line in body.split("\n") if line}
    assert settings_there <= {"live", "system_instruction", "audio", "volume", "wake", "words"}


def test_the_owner_may_write_comments_but_they_are_not_kept(last_good: LastGood) -> None:
    """Only settings that were accepted are in the file: whatever else stood there is not."""
    last_good.keep(parse("# my secret is 1234\naudio: {volume: 5} # and this", "config.yaml"))
    assert last_good.path is not None
    assert last_good.path.read_text().splitlines()[1:] == ["audio:", "  volume: 5"]


def test_defaults_are_not_kept(last_good: LastGood) -> None:
    """What the owner did not choose is a later version's to change."""
    last_good.keep(Config())
    assert last_good.path is not None
    assert last_good.path.read_text().count("\n") == 1
    assert last_good.recall() == Config()


def test_a_key_that_is_gone_is_left_out_and_told(
    last_good: LastGood, caplog: pytest.LogCaptureFixture
) -> None:
    """After an upgrade: alone, as a whole section, with a value that is no longer taken."""
    written(
        last_good,
        "audio:\n  volume: 5\n  loudness: 3\nradio:\n  station: 4\n  deep:\n    er: 5\n"
        "live:\n  compression:\n    trigger_tokens: 10\n    target_tokens: 20\nboard: FLEX\n",
    )
    assert last_good.recall() == parse("audio: {volume: 5}", "x")
    told = [message for message in caplog.messages if "is left out" in message]
    assert any("audio.loudness" in message for message in told)
    assert any("radio" in message for message in told)
    assert any("board" in message for message in told)


@pytest.mark.parametrize("damage", ["a bit", "the end", "binary", "empty", "zeros", "huge"])
def test_a_damaged_file_is_not_used_and_told(
    last_good: LastGood, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A memory card that gives back something else must not make another speaker of it."""
    last_good.keep(parse("audio: {volume: 40}\nlights: {brightness: 30}", "config.yaml"))
    assert last_good.path is not None
    raw = last_good.path.read_bytes()
    last_good.path.write_bytes(
        {
            "a bit": raw.replace(b"40", b"60"),
            "the end": raw[:-10],
            "binary": bytes(range(256)),
            "empty": b"",
            "zeros": bytes(len(raw)),
            "huge": raw + b"#" * 100_000,
        }[damage]
    )
    assert last_good.recall() is None
    assert not last_good.exists
    told = f"the last good configuration {last_good.path} is not used: it is damaged ("
    assert caplog.messages[0].startswith(told)


def test_a_damaged_file_is_set_aside_by_the_next_settings(
    last_good: LastGood, caplog: pytest.LogCaptureFixture
) -> None:
    """And told: a start that never needed it finds it damaged only then."""
    assert last_good.path is not None
    written(last_good, "audio:\n  volume: 5\n")
    damaged = last_good.path.read_bytes().replace(b"5", b"6")
    last_good.path.write_bytes(damaged)
    last_good.keep(parse("audio: {volume: 7}", "x"))
    assert ["it is damaged" in message for message in caplog.messages] == [True]
    assert last_good.recall() == parse("audio: {volume: 7}", "x")
    assert last_good.path.with_name(f"{FILE}.damaged").read_bytes() == damaged


@settings(deadline=None, max_examples=50)
@given(content=st.binary(max_size=100))
def test_any_bytes_are_no_settings(content: bytes) -> None:
    """Nothing is raised, and the next settings take their place."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FILE).write_bytes(content)
        last_good = LastGood(Path(folder), OWNERS, parse)
        assert last_good.recall() is None
        last_good.keep(Config())
        assert last_good.recall() == Config()


def test_settings_of_another_file_are_not_used(
    last_good: LastGood, caplog: pytest.LogCaptureFixture
) -> None:
    """A speaker tried out with `--config` leaves them; they are not those of the appliance."""
    written(last_good, "audio:\n  volume: 5\n", Path("/home/pi/try.yaml"))
    assert last_good.path is not None
    assert last_good.recall() is None
    assert caplog.messages[0].endswith("is not used: it is not of /etc/parley/config.yaml")
    last_good.keep(Config())
    assert len(caplog.messages) == 1
    assert os.listdir(last_good.path.parent) == [FILE]  # noqa: PTH208 - the names are enough


def test_what_is_refused_as_a_whole_is_not_used(
    last_good: LastGood, caplog: pytest.LogCaptureFixture
) -> None:
    """With a good checksum, yet no configuration: nothing is left to leave out."""
    written(last_good, "")
    last_good._parse = lambda text, path: parse(f"{text}\n- 1\n" * 2, path)
    assert last_good.recall() is None
    assert "cannot be used" in caplog.messages[-1]


def test_a_folder_in_its_place_is_told(
    last_good: LastGood, caplog: pytest.LogCaptureFixture
) -> None:
    """It can neither be read nor written; the speaker goes on."""
    assert last_good.path is not None
    last_good.path.mkdir(parents=True)
    last_good.keep(Config())
    assert last_good.recall() is None
    wrong = [message.split(str(last_good.path))[1] for message in caplog.messages]
    assert wrong[0] == wrong[2] == " cannot be read: Is a directory"
    assert wrong[1].startswith(" cannot be written (Is a directory): ")


def test_it_is_written_whole_and_only_when_it_changes(last_good: LastGood) -> None:
    """A card wears out by writing; a power cut in the middle leaves the old file."""
    last_good.keep(parse("audio: {volume: 5}", "x"))
    assert last_good.path is not None
    before = last_good.path.stat()
    last_good.keep(parse("audio: {volume: 5}", "x"))
    again = last_good.path.stat()
    # To read it is not to write it: the time of the last access may differ.
    assert (again.st_ino, again.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    last_good.keep(parse("audio: {volume: 6}", "x"))
    assert last_good.path.stat().st_ino != before.st_ino
    assert os.listdir(last_good.path.parent) == [FILE]  # noqa: PTH208 - the names are enough
    assert last_good.path.stat().st_mode & 0o007 == 0


def test_a_card_that_is_full_keeps_the_old_one(
    last_good: LastGood, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told, and no reason to stop."""
    last_good.keep(parse("audio: {volume: 5}", "x"))

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        last_good.keep(parse("audio: {volume: 6}", "x"))
    assert "No space left on device" in caplog.messages[0]
    recalled = last_good.recall()
    assert recalled is not None
    assert recalled.audio.volume == 5


def test_without_a_folder_nothing_is_kept() -> None:
    """A speaker without a home."""
    last_good = LastGood(None, OWNERS, parse)
    last_good.keep(Config())
    assert not last_good.exists
    assert last_good.recall() is None
