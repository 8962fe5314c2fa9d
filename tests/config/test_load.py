"""The configuration: defaults, every rule, and every mistake at once with its place."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from device.config import (
    MAX_BYTES,
    Config,
    Input,
    Word,
    load,
    parse,
)
from device.errors import ConfigError, Mistake

SHIPPED = Path(__file__).parents[2] / "config" / "parley.yaml"
KEY = "AIzaSyA-1234567890abcdefghijklmnopqrstu"


def mistakes(text: str) -> list[Mistake]:
    """Check a text that must be refused, and return what is said about it."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "test.yaml")
    return caught.value.mistakes


def only(text: str) -> tuple[str, str, int, int]:
    """Check a text with exactly one mistake."""
    [mistake] = mistakes(text)
    return mistake.where, mistake.message, mistake.line, mistake.column


class TestDefaults:
    @pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "\ufeff", "live:\nwake:\n"])
    def test_an_empty_file_is_all_defaults(self, text: str) -> None:
        """Sections whose keys are all commented out count as left out."""
        assert parse(text, "empty.yaml") == Config()

    def test_the_shipped_file_says_the_defaults(self) -> None:
        """What the owner reads in the file is what a missing key means."""
        assert load(SHIPPED) == Config()

    def test_the_shipped_file_holds_every_key(self) -> None:
        """An owner finds all there is to set in one place."""
        assert keys_of(yaml.safe_load(SHIPPED.read_text())) == keys_of(Config().model_dump())

    def test_the_contract_holds(self) -> None:
        """The names and defaults that owners script against."""
        config = Config()
        assert config.live.model == "gemini-3.1-flash-live-preview"
        assert config.live.fallback_models == ("gemini-3.8-live",)
        assert config.live.compression.trigger_tokens == 25_600
        assert config.live.compression.target_tokens == 12_800
        assert config.live.connect_timeout_s == 10.0
        assert config.wake.words == (Word(model="hey_jarvis", threshold=0.5),)
        assert config.audio.input == Input(device="auto", channel="auto")
        assert config.lights.pins == (17, 27, 22)
        assert config.button.pin == "auto"
        assert config.conversation.session_keep_s == 120
        assert not config.privacy.log_transcripts

    def test_a_configuration_cannot_be_changed(self) -> None:
        """Nobody changes a setting behind the others' backs."""
        with pytest.raises(ValidationError, match="frozen"):
            Config().audio.volume = 3


def keys_of(data: object) -> object:
    """Return the names in a tree of sections, without the values."""
    return {key: keys_of(below) for key, below in data.items()} if isinstance(data, dict) else None


class TestValues:
    def test_words_for_off_and_on_work_as_written(self) -> None:
        """YAML 1.1 would turn all of these into booleans."""
        config = parse(
            "audio: {echo_cancellation: off, chimes: off}\n"
            "live: {google_search: on, language: no, voice: on}\n"
            "privacy: {log_transcripts: Yes}\n",
            "words.yaml",
        )
        assert config.audio.echo_cancellation == "off"
        assert not config.audio.chimes
        assert config.live.google_search
        assert config.live.language == "no"
        assert config.live.voice == "on"
        assert config.privacy.log_transcripts

    @pytest.mark.parametrize("word", ["off", "Off", "OFF", "no", "false", "False", "'off'"])
    def test_every_spelling_of_off_cancels_no_echo(self, word: str) -> None:
        """Also what programs make of it that write YAML 1.1."""
        config = parse(f"audio: {{echo_cancellation: {word}}}", "off.yaml")
        assert config.audio.echo_cancellation == "off"
        data = {"audio": {"echo_cancellation": False}}
        assert Config.model_validate(data).audio.echo_cancellation == "off"

    @pytest.mark.parametrize("word", ["on", "Yes", "true"])
    def test_on_does_not_say_who_cancels_the_echo(self, word: str) -> None:
        """There are two who could."""
        where, message, *_ = only(f"audio: {{echo_cancellation: {word}}}")
        assert where == "audio.echo_cancellation"
        assert message.endswith("cancels the echo: choose auto, hardware, software or off")

    def test_the_ends_of_the_ranges_are_taken(self) -> None:
        """Short ones for trying out, long ones for those who want them."""
        config = parse(
            "conversation: {follow_up_s: 0, session_keep_s: 86400, max_session_s: 1}\n"
            "live: {compression: {trigger_tokens: 2, target_tokens: 1}}\n",
            "ends.yaml",
        )
        assert config.conversation.session_keep_s == 86_400
        assert config.conversation.max_session_s == 1
        assert config.live.compression.target_tokens == 1

    def test_a_whole_number_will_do_for_seconds(self) -> None:
        """`session_keep_s: 90` needs no decimal point, and 1e1 is a number too."""
        config = parse("conversation: {session_keep_s: 90, follow_up_s: 1e1}", "seconds.yaml")
        assert (config.conversation.session_keep_s, config.conversation.follow_up_s) == (90.0, 10.0)

    def test_lists_and_nested_keys_arrive(self) -> None:
        """Attributes mirror the file."""
        config = parse(
            "wake:\n  words:\n  - model: alexa\n  - {model: /opt/my word.onnx, threshold: 1}\n"
            "audio: {input: {device: seeed, channel: 3}}\n"
            "lights: {pins: [1, 2, 3]}\nbutton: {pin: none}\n"
            "live: {endpoint: 'https://[::1]:8443', fallback_models: []}\nboard: 2mic-hat\n",
            "nested.yaml",
        )
        assert [word.model for word in config.wake.words] == ["alexa", "/opt/my word.onnx"]
        assert config.wake.words[0].threshold == 0.5
        assert config.wake.words[0].playback_threshold == 0.3
        assert (config.audio.input.device, config.audio.input.channel) == ("seeed", 3)
        assert (config.lights.pins, config.button.pin) == ((1, 2, 3), "none")
        assert config.live.endpoint == "https://[::1]:8443"
        assert config.live.fallback_models == ()

    @pytest.mark.parametrize("tag", ["en", "de-DE", "zh-Hans-CN", "en-u-ca-gregory", "de-x-a"])
    def test_a_language_is_a_tag_with_any_subtags(self, tag: str) -> None:
        """As BCP 47 has them."""
        assert parse(f"live: {{language: {tag}}}", "test").live.language == tag

    @pytest.mark.parametrize(
        ("text", "where", "said"),
        [
            ("audio: {volume: '60'}", "audio.volume", "'60' is text: write 60 without quotes"),
            ("audio: {volume: loud}", "audio.volume", "'loud' is not a number: choose e.g. 60"),
            ("audio: {volume: 60.5}", "audio.volume", "60.5 is not a whole number: choose e.g. 60"),
            ("audio: {volume: true}", "audio.volume", "true is not a number: choose e.g. 60"),
            ("audio: {volume: 101}", "audio.volume", "101 is not in 0..100: choose e.g. 60"),
            ("audio: {volume: -1}", "audio.volume", "-1 is not in 0..100: choose e.g. 60"),
            ("audio: {volume: [1]}", "audio.volume", "a list is not a number: choose e.g. 60"),
            (
                "audio: {volume: }",
                "audio.volume",
                "has no value: write one, e.g. 60, or delete the line",
            ),
            (
                "wake: {words: [{model: a, threshold: 1.5}]}",
                "wake.words[0].threshold",
                "1.5 is not in 0..1: choose e.g. 0.5",
            ),
            (
                "wake: {words: [{model: a, threshold: 0}]}",
                "wake.words[0].threshold",
                "0 is not above 0: choose e.g. 0.5",
            ),
            (
                "wake: {words: [{model: a, playback_threshold: 1.5}]}",
                "wake.words[0].playback_threshold",
                "1.5 is not in 0..1: choose e.g. 0.3",
            ),
            (
                "wake: {words: [{model: a, playback_threshold: 0}]}",
                "wake.words[0].playback_threshold",
                "0 is not above 0: choose e.g. 0.3",
            ),
            (
                "wake: {pre_roll_s: 1e999}",
                "wake.pre_roll_s",
                "inf is not a number: choose e.g. 1.5",
            ),
            (
                "wake: {pre_roll_s: 0.9}",
                "wake.pre_roll_s",
                "0.9 is not in 1.0..5.0: choose e.g. 1.5",
            ),
            (
                "lights: {pins: [17, 27, 28]}",
                "lights.pins[2]",
                "28 is not in 0..27: choose e.g. 22",
            ),
            (
                "lights: {count: 0}",
                "lights.count",
                "0 is not auto or a number of LEDs from 1 to 64",
            ),
            (
                "lights: {spi: 0.1}",
                "lights.spi",
                "0.1 is not text: write a text, in quotes if it is a number",
            ),
            (
                "lights: {spi: spi0}",
                "lights.spi",
                "'spi0' is not an SPI device: write auto or e.g. spidev0.0",
            ),
            (
                "lights: {power_pin: 28}",
                "lights.power_pin",
                "28 is not auto or none or a GPIO number from 0 to 27",
            ),
            (
                "audio: {input: {rate_hz: 48}}",
                "audio.input.rate_hz",
                "48 is not auto or a sample rate from 8000 to 192000 Hz",
            ),
            (
                "audio: {output: {channels: 0}}",
                "audio.output.channels",
                "0 is not auto or a number of channels from 1 to 32",
            ),
            (
                "lights: {pins: [17, 27]}",
                "lights.pins",
                "needs three GPIO numbers, for red, green and blue: e.g. [17, 27, 22]",
            ),
            (
                "audio: {echo_cancellation: hardwear}",
                "audio.echo_cancellation",
                "'hardwear' is not one of auto, hardware, software, off: did you mean hardware?",
            ),
            (
                "audio: {duplex: true}",
                "audio.duplex",
                "true is not one of auto, full, half",
            ),
            ("audio: {chimes: maybe}", "audio.chimes", "'maybe' is not true or false"),
            ("audio: {chimes: 1}", "audio.chimes", "1 is not true or false"),
            (
                "live: {model: 3.1}",
                "live.model",
                "3.1 is not text: write a text, in quotes if it is a number",
            ),
            (
                "live: {model: 'two words'}",
                "live.model",
                "'two words' is not a model's name: write e.g. gemini-3.8-live",
            ),
            (
                "live: {language: german}",
                "live.language",
                "'german' is not a language tag: did you mean de-DE?",
            ),
            ("live: {voice: ''}", "live.voice", "is empty: write a text"),
            (
                "live: {language: Deutsch!}",
                "live.language",
                "'Deutsch!' is not a language tag: write e.g. de-DE or en",
            ),
            (
                "live: {fallback_models: a}",
                "live.fallback_models",
                "'a' is not a list: write one, e.g. [gemini-3.8-live]",
            ),
            (
                "audio: {input: {device: 2}}",
                "audio.input.device",
                "2 is a number, and card numbers change: write auto or a part of the name",
            ),
            (
                "audio: {input: {channel: left}}",
                "audio.input.channel",
                "'left' is not auto or a channel's number from 0 to 31",
            ),
            (
                "button: {pin: true}",
                "button.pin",
                "true is not auto or none or a GPIO number from 0 to 27",
            ),
            (
                "wake: {words: []}",
                "wake.words",
                "is an empty list: at least one is needed, e.g. [{model: hey_jarvis, ",
            ),
            (
                "wake: {words: [hey_jarvis]}",
                "wake.words[0]",
                "'hey_jarvis' stands alone: write {model: hey_jarvis}",
            ),
            (
                "wake: {words: [{threshold: 0.4}]}",
                "wake.words[0].model",
                "is missing: write it, e.g. hey_jarvis",
            ),
            (
                "wake: {words: [null]}",
                "wake.words[0]",
                "has no value: write one, e.g. {model: hey_jarvis, threshold: 0.5, playback_",
            ),
            ("privacy: no", "privacy", "'no' is not a section: it has keys of its own"),
            ("board: '2-mic HAT'", "board", "'2-mic HAT' is not a board"),
        ],
    )
    def test_a_wrong_value_is_told_with_what_to_write(
        self, text: str, where: str, said: str
    ) -> None:
        """One mistake, its key, and words that help."""
        found_where, message, line, _ = only(text)
        assert (found_where, line) == (where, 1)
        assert message.startswith(said)

    @pytest.mark.parametrize(
        "endpoint",
        [
            "http://host",
            "https://host/",
            "https://host/v1",
            "https://host?key=x",
            "https://me@host",
            "host:8443",
            "https://",
            "wss://host",
        ],
    )
    def test_an_endpoint_is_a_host_and_nothing_more(self, endpoint: str) -> None:
        """Path, slash, user and other schemes are refused."""
        where, message, *_ = only(f"live: {{endpoint: '{endpoint}'}}")
        assert where == "live.endpoint"
        assert "write https://host or https://host:port" in message

    @pytest.mark.parametrize(
        ("endpoint", "said"),
        [
            ("https://localhost:99999", "port 99999 is not in 1..65535"),
            ("https://localhost:0", "port 0 is not in 1..65535"),
            ("https://a..b", "'a..b' is not a host"),
            ("https://-a.b", "'-a.b' is not a host"),
            ("https://.", "'.' is not a host"),
            ("https://1.2.3.400", "'1.2.3.400' is not a host"),
            ("https://[::1::]", "'[::1::]' is not a host"),
            ("https://" + "a" * 64, "is not a host"),
        ],
    )
    def test_host_and_port_of_an_endpoint_can_be(self, endpoint: str, said: str) -> None:
        """Else every session would fail, and blame the network."""
        where, message, *_ = only(f"live: {{endpoint: '{endpoint}'}}")
        assert where == "live.endpoint"
        assert said in message

    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://localhost:8443",
            "https://127.0.0.1:1",
            "https://[fe80::1]:65535",
            "https://a-b.example.org.",
            "https://1a.xn--bcher-kva.example",
        ],
    )
    def test_every_host_there_can_be_is_taken(self, endpoint: str) -> None:
        """By name or by address."""
        assert parse(f"live: {{endpoint: '{endpoint}'}}", "x").live.endpoint == endpoint

    @pytest.mark.parametrize(
        ("model", "hint"),
        [
            ("Hey Jarvis", "did you mean hey_jarvis?"),
            ("models/hey.onnx", ""),
            ("/opt/hey.tflite", ""),
            ("hey.onnx", ""),
        ],
    )
    def test_a_wake_word_is_a_bundled_name_or_an_absolute_path(self, model: str, hint: str) -> None:
        """A relative path would depend on where the daemon was started."""
        where, message, *_ = only(f"wake: {{words: [{{model: '{model}'}}]}}")
        assert where == "wake.words[0].model"
        assert "neither a bundled word (such as hey_jarvis) nor the absolute path" in message
        assert message.endswith(hint or "of an .onnx file")


class TestFurther:
    def test_what_others_find_has_its_place_among_the_rest(self) -> None:
        """A key that is wrong in itself is not told twice: who knows more says it."""

        def further(data: object) -> list[tuple[tuple[str | int, ...], str]]:
            assert data == {"board": "x", "audio": {"volume": 300}}
            return [(("audio", "volume"), "too loud"), (("board",), "no such board")]

        with pytest.raises(ConfigError) as caught:
            parse("board: x\naudio: {volume: 300}\n", "f.yaml", further)
        assert caught.value.lines() == [
            "f.yaml:1:8: board: no such board",
            "f.yaml:2:17: audio.volume: too loud",
        ]


class TestAcrossKeys:
    def test_the_target_must_be_below_the_trigger(self) -> None:
        """The blame is on what the owner wrote, not on a default."""
        where, message, line, column = only("live:\n  compression: {trigger_tokens: 12800}\n")
        assert (where, line, column) == ("live.compression.trigger_tokens", 2, 33)
        assert message == (
            "target_tokens (12800) must be less than trigger_tokens (12800): choose half of it, "
            "6400"
        )
        where, *_ = only("live: {compression: {trigger_tokens: 3000, target_tokens: 3000}}")
        assert where == "live.compression.target_tokens"

    def test_a_wake_word_is_listed_once(self) -> None:
        """The second one is the mistake, told together with others in the list."""
        found = mistakes("wake:\n  words:\n  - model: a\n  - model: a\n  - {model: b, x: 1}\n")
        assert [(m.where, m.line) for m in found] == [
            ("wake.words[1].model", 4),
            ("wake.words[2].x", 5),
        ]
        assert found[0].message == "'a' is there twice: delete one of them"

    def test_pins_are_not_shared(self) -> None:
        """One GPIO cannot be two colours, nor a light and the button."""
        assert only("lights: {pins: [5, 5, 6]}")[0] == "lights.pins[1]"
        where, message, *_ = only("lights: {driver: gpio}\nbutton: {pin: 27}\n")
        assert where == "button.pin"
        assert message.startswith("GPIO 27 is one of lights.pins")
        assert parse("lights: {driver: apa102}\nbutton: {pin: 17}\n", "x").button.pin == 17
        where, message, *_ = only("lights: {power_pin: 6}\nbutton: {pin: 6}\n")
        assert where == "button.pin"
        assert message.startswith("GPIO 6 is lights.power_pin too")


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("text", "where", "said"),
        [
            ("live: {modle: x}", "live.modle", "unknown key: did you mean model?"),
            ("volume: 50", "volume", "unknown key here: did you mean audio.volume?"),
            (
                "button: {zzz: 1}",
                "button.zzz",
                "unknown key: known here are pin",
            ),
            ("wake: {words: [{modell: a, model: a}]}", "wake.words[0].modell", "unknown key: did"),
        ],
    )
    def test_an_unknown_key_is_refused_with_a_guess(self, text: str, where: str, said: str) -> None:
        """A mistyped key never silently means the default."""
        found_where, message, *_ = only(text)
        assert found_where == where
        assert message.startswith(said)

    def test_its_place_is_that_of_the_key(self) -> None:
        """The cursor jumps to what has to be corrected."""
        assert only("live:\n  # comment\n  modle: x\n")[2:] == (3, 3)

    def test_a_key_twice_is_a_mistake(self) -> None:
        """Both cannot be meant; the second one is named, the first one checked."""
        found = mistakes("audio:\n  volume: 500\n  volume: 20\n")
        assert [(m.where, m.line, m.column) for m in found] == [
            ("audio.volume", 2, 11),
            ("audio.volume", 3, 3),
        ]
        assert found[1].message == "is there twice: delete this one or line 2"


class TestAllAtOnce:
    def test_every_mistake_is_told_in_the_order_of_the_file(self) -> None:
        """One look at the list, one edit."""
        with pytest.raises(ConfigError) as caught:
            parse(
                "privacy: {log_transcripts: perhaps}\n"
                "audio:\n  volume: 300\n  duplex: ful\n"
                "live:\n  modle: x\n",
                "m.yaml",
            )
        assert caught.value.lines() == [
            "m.yaml:1:28: privacy.log_transcripts: 'perhaps' is not true or false",
            "m.yaml:3:11: audio.volume: 300 is not in 0..100: choose e.g. 60",
            "m.yaml:4:11: audio.duplex: 'ful' is not one of auto, full, half: did you mean full?",
            "m.yaml:6:3: live.modle: unknown key: did you mean model?",
        ]

    def test_an_endless_list_is_cut(self) -> None:
        """A file that is something else altogether does not fill the journal."""
        found = mistakes("".join(f"key{i}x: 1\n" for i in range(500)))
        assert len(found) == 201
        assert found[-1].message == "and 300 more mistakes from here on"
        assert found[-1].line == 201


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            "api_key: hunter2hunter2\n",
            "live: {key: hunter2hunter2}\n",
            "live: {GEMINI-API-KEY: {deeper: hunter2hunter2}}\n",
            "google: {google_api_key: hunter2hunter2}\n",
            f"live: {{model: {KEY}}}\n",
            f"audio: {{duplex: {KEY}}}\n",
            f"audio: {{volume: {KEY}}}\n",
            f"live: {{endpoint: 'https://host?key={KEY}'}}\n",
            f"{KEY}: 1\n",
            f"{KEY}: &{KEY} x\n",
            f"# {KEY}\n",
            f"live: '{KEY}\n",
            f"live: !{KEY} x\n",
            f"audio: {{duplex: 'some long text before the key itself {KEY}'}}\n",
            f'live: {{voice: "\\x41Iza{KEY[4:]}", modle: 1}}\n',
        ],
    )
    def test_a_key_in_the_file_is_refused_and_never_shown(self, text: str) -> None:
        """By the name of the setting or by the look of the value, even in a comment."""
        with pytest.raises(ConfigError) as caught:
            parse(text, "secret.yaml")
        shown = str(caught.value) + repr(caught.value)
        assert "hunter2" not in shown
        assert KEY[4:] not in shown
        if "\\x41" not in text:
            assert "put it into /etc/parley/credentials/gemini_api_key" in shown

    def test_the_place_of_a_key_is_told(self) -> None:
        """So that it can be found and deleted."""
        assert only(f"live:\n  model: {KEY}\n")[2:] == (2, 10)
        assert only("live:\n  api_key: x\n")[::2] == ("live.api_key", 2)

    def test_a_key_under_a_telling_name_is_told_once(self) -> None:
        """Name and look of the value are one mistake."""
        assert only(f"live:\n  api_key: {KEY}\n")[2:] == (2, 3)


class TestFiles:
    def test_a_file_that_is_not_utf8_is_told(self, tmp_path: Path) -> None:
        """With the byte and its place."""
        file = tmp_path / "latin.yaml"
        file.write_bytes("# caf\u00e9\nlive:\n  voice: caf".encode() + b"\xe9\n")
        with pytest.raises(ConfigError) as caught:
            load(file)
        assert caught.value.lines() == [
            f"{file}:3:13: byte 0xe9 is not UTF-8: save the file as UTF-8 text"
        ]

    def test_a_huge_file_is_refused_without_reading_it_all(self, tmp_path: Path) -> None:
        """10 MB of anything is no configuration."""
        file = tmp_path / "huge.yaml"
        file.write_bytes(b"# x\n" * 2_500_000)
        with pytest.raises(ConfigError, match=f"larger than {MAX_BYTES} bytes"):
            load(file)
        with pytest.raises(ConfigError, match=f"larger than {MAX_BYTES} bytes"):
            parse("#" * (MAX_BYTES + 1), "huge.yaml")

    def test_a_path_that_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        """Missing, or no file at all: said with its name."""
        with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: no such file"):
            load(tmp_path / "none.yaml")
        with pytest.raises(ConfigError, match="cannot be read: is a directory"):
            load(tmp_path)

    def test_without_a_path_a_missing_file_is_all_defaults(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A speaker without a file works; one with a file uses it."""
        file = tmp_path / "config.yaml"
        monkeypatch.setattr(import_module("device.config.load"), "DEFAULT_PATH", file)
        assert load(None) == Config()
        file.write_text("audio: {volume: 7}")
        assert load(None).audio.volume == 7


@pytest.mark.parametrize(
    "path",
    ["parley.prom", "/run/parley/parley.txt", "/parley.prom", "/run/parley/", "/run/.prom/", "''"],
)
def test_a_file_for_prometheus_is_one_that_can_be_found(path: str) -> None:
    """An absolute path with the ending that node_exporter looks for; else it says what to write."""
    (mistake,) = mistakes(f"records: {{prometheus: {path}}}")
    assert "write e.g. /run/parley/parley.prom" in str(mistake)


def test_a_file_for_prometheus_is_taken_as_written() -> None:
    """Null is none."""
    wanted = "/run/parley/with space.prom"
    assert parse(f"records: {{prometheus: {wanted}}}", "x").records.prometheus == wanted
    assert parse("records: {prometheus: null}", "x").records.prometheus is None
