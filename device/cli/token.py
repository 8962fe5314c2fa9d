"""``parley token`` mints an ephemeral token with this machine's key, and lends them to speakers."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.build import checked_config as checked
from device.config import DEFAULT_PATH, Config
from device.credentials.lookup import find_machine_key, forget_in
from device.errors import ParleyError
from device.service import journal
from device.service.notify import notifier
from device.tokens.audit import Audit
from device.tokens.mint import (
    DEFAULT_MINUTES,
    DEFAULT_USES,
    MOST_MINUTES,
    MOST_USES,
    Minted,
    Minter,
)
from device.tokens.speakers import Speakers

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_log = logging.getLogger(__name__)

LISTEN: Final = "127.0.0.1:8790"
AN_HOUR: Final = 120
SESSIONS_S: Final = 120.0
"""How long a token for one session opens it: a speaker uses it at once."""
MOST_AN_HOUR: Final = 3_600
AUDIT_FILE: Final = "tokens.jsonl"


def add_parser(subparsers: Subparsers) -> None:
    """Add ``token`` with its ``serve`` and ``speaker``."""
    about = "mint an ephemeral token with the key of this machine and print it"
    token_parser = subparsers.add_parser("token", help=about, description=about)
    _add_terms(token_parser)
    token_parser.add_argument(
        "--model", metavar="NAME", help="what it is locked to (default: live.model)"
    )
    token_parser.set_defaults(run=mint, parser=token_parser)
    actions = token_parser.add_subparsers(metavar="[serve|speaker]")

    about = "lend tokens to the speakers of one owner over HTTPS, so that one machine has the key"
    serve_parser = actions.add_parser("serve", help=about, description=about)
    serve_parser.add_argument(
        "--listen", metavar="HOST:PORT", default=LISTEN, help=f"where (default: {LISTEN})"
    )
    serve_parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="the TLS certificate, with its chain (PEM)"
    )
    serve_parser.add_argument(
        "--private-key", type=Path, metavar="FILE", help="the private key that belongs to it (PEM)"
    )
    _add_speakers(serve_parser)
    serve_parser.add_argument(
        "--audit",
        type=Path,
        metavar="FILE",
        help=f"where each token is written down (default: {AUDIT_FILE} in $STATE_DIRECTORY)",
    )
    serve_parser.add_argument(
        "--per-hour",
        type=int,
        default=AN_HOUR,
        metavar="N",
        help=f"how many tokens a speaker is lent (default: {AN_HOUR})",
    )
    _add_terms(serve_parser)
    serve_parser.set_defaults(run=serve, parser=serve_parser)

    about = "make the bearer by which the token server knows a speaker, and print it"
    speaker_parser = actions.add_parser("speaker", help=about, description=about)
    speaker_parser.add_argument("name", metavar="NAME", help="such as kitchen")
    _add_speakers(speaker_parser)
    speaker_parser.set_defaults(run=speaker)


def _add_terms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uses",
        type=int,
        default=DEFAULT_USES,
        metavar="N",
        help=f"for how many sessions it is good; 0: any number (default: {DEFAULT_USES})",
    )
    parser.add_argument(
        "--minutes",
        type=int,
        default=DEFAULT_MINUTES,
        metavar="N",
        help=f"how long it lives, 1 to {MOST_MINUTES} (default: {DEFAULT_MINUTES})",
    )
    parser.add_argument(
        "--config", type=Path, metavar="PATH", help=f"the file (default: {DEFAULT_PATH})"
    )


def _add_speakers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speakers",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file of speakers that may ask",
    )


def mint(args: argparse.Namespace) -> int:
    """Print one token on standard output, and what it is on standard error."""
    _check_terms(args)
    config = _config(args.config)
    key = find_machine_key(os.environ)
    forget_in(os.environ)
    model: str = args.model or config.live.model
    life_s = args.minutes * 60.0

    async def make() -> Minted:
        async with Minter(config.live, key.secret) as minter:
            return await minter.mint(model, uses=args.uses, life_s=life_s, sessions_s=life_s)

    minted = asyncio.run(make())
    uses = {0: "any number of sessions", 1: "one session"}.get(args.uses, f"{args.uses} sessions")
    print(
        f"a token for {minted.model}, {uses}, until "
        f"{minted.expire_time.astimezone():%Y-%m-%d %H:%M %Z} (with the key from {key.source})",
        file=sys.stderr,
    )
    print(minted.name)
    return 0


def speaker(args: argparse.Namespace) -> int:
    """Print the bearer of a new speaker on standard output, and where it goes on standard error."""
    bearer = Speakers(args.speakers).add(args.name)
    print(
        f"'{args.name}' is in {args.speakers} now. What follows is told once: it goes into "
        "/etc/parley/credentials/tokens on that speaker, and live.token_credential: tokens into "
        "its configuration. A token server that runs as a service knows it after: sudo systemctl "
        "restart parley-tokens",
        file=sys.stderr,
    )
    print(bearer)
    return 0


def serve(args: argparse.Namespace) -> int:
    """Serve tokens until SIGTERM or SIGINT."""
    _check_terms(args)
    if not 1 <= args.per_hour <= MOST_AN_HOUR:
        args.parser.error(f"--per-hour {args.per_hour} is not in 1..{MOST_AN_HOUR}")
    host, port = _place(args)
    journal.set_up(os.environ, verbose=False)
    config = _config(args.config)
    key = find_machine_key(os.environ)
    folder = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    forget_in(os.environ)
    audit = Audit(args.audit or (Path(folder, AUDIT_FILE) if folder else None))
    audit.check()
    speakers = Speakers(args.speakers)
    known = speakers.read()
    if not known:
        raise ParleyError(
            f"nobody is in {args.speakers}: add a speaker with parley token speaker NAME "
            f"--speakers {args.speakers}"
        )

    from device.tokens.server import Listening, Terms, TokenService  # noqa: PLC0415 - heavy

    listening = Listening(host, port, args.certificate, args.private_key)
    listening.check()
    life_s = args.minutes * 60.0
    # One that is good for several is there to be kept.
    sessions_s = SESSIONS_S if args.uses == 1 else life_s
    terms = Terms(models_of(config), args.uses, life_s, sessions_s, args.per_hour)
    names = " and ".join(each.name for each in known)
    scheme = "https" if args.certificate else "http"

    def ready(taken: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        _log.info("lends tokens to %s at %s://%s:%d/token", names, scheme, shown, taken)
        notifier(os.environ)("READY=1")

    async def run() -> None:
        async with Minter(config.live, key.secret) as minter:
            await TokenService(minter, speakers, audit, terms).serve(listening, ready)

    asyncio.run(run())
    _log.info("ended: no tokens are lent any more")
    return 0


def models_of(config: Config) -> tuple[str, ...]:
    """Return the models that tokens are lent for: those that this configuration knows."""
    of_personas = [each.model for each in config.personas.values() if each.model is not None]
    named = [config.live.model, *config.live.fallback_models, *of_personas]
    return tuple(dict.fromkeys(model.removeprefix("models/") for model in named))


def _config(path: Path | None) -> Config:
    """Read the configuration, of which tokens need no wake word or board. Raises ConfigError."""
    return checked.load_elsewhere(path)


def _check_terms(args: argparse.Namespace) -> None:
    """Leave with 2 where no token can be like that."""
    if not 0 <= args.uses <= MOST_USES:
        args.parser.error(f"--uses {args.uses} is not in 0..{MOST_USES}")
    if not 1 <= args.minutes <= MOST_MINUTES:
        args.parser.error(f"--minutes {args.minutes} is not in 1..{MOST_MINUTES} (20 hours)")


def _place(args: argparse.Namespace) -> tuple[str, int]:
    """Return host and port. Leaves with 2 where there are none."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})", args.listen)
    if match is None or int(match[2]) > 65_535:
        args.parser.error(f"--listen {args.listen} is no address and port: write e.g. {LISTEN}")
        raise AssertionError  # it has left
    return match[1].strip("[]"), int(match[2])
