"""`credentials` looks at the tokens of MCP servers, and at what else lies beside the key."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from device.credentials.credential import FOLDER, variable_of
from device.credentials.lookup import Credential, find_credential, hindrances
from device.doctor.handed_over import handed_over
from device.doctor.result import Cure, Result, broken, fine, hint, skipped
from device.doctor.scene import UNIT, Scene
from device.doctor.service import RESTART
from device.errors import CredentialError

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def credential_in(scene: Scene, name: str) -> Credential:
    """Find a credential as the service would, also from outside of it. Raises CredentialError."""
    try:
        return find_credential(name, scene.environ)
    except CredentialError:
        if variable_of(name) in scene.environ:
            raise
    # systemd's copy while the unit runs; it is there also where the token is kept encrypted.
    for folder in (scene.root / "run/credentials" / UNIT, kept_in(scene)):
        try:
            return find_credential(name, {"CREDENTIALS_DIRECTORY": str(folder)})
        except CredentialError as error:
            trouble = error
    raise trouble


def kept_in(scene: Scene) -> Path:
    """Return where the owner keeps them."""
    return scene.root / str(FOLDER)[1:]


def credentials(scene: Scene) -> Iterator[Result]:
    """Report whether each is there and can be used, who else might read it; never what it is."""
    wanted = [each.credential for each in scene.config.tools.mcp]
    live = scene.config.live
    wanted.append(live.token_credential if live.token_url is not None else None)
    names = list(dict.fromkeys(name for name in wanted if name))
    folder = kept_in(scene)
    if os.geteuid() != 0 and _hidden(folder):
        if names and not all(_is_found(scene, name) for name in names):
            yield skipped("credentials", "only root may read them", "sudo parley doctor")
            return
    elif found := hindrances(folder):
        yield broken("credentials", "the service cannot start with what is there", "; ".join(found))
        return
    if not names:
        yield skipped("credentials", "no MCP server needs one")
        return
    yield _judged(scene, names, folder)


def _judged(scene: Scene, names: list[str], folder: Path) -> Result:
    sources, unfit = {}, {}
    unit = handed_over(scene)
    for name in names:
        if unit is not None and not (variable_of(name) in scene.environ or unit.reaches(name)):
            unfit[name] = f"systemd hands over none to the service: {unit.remedy(name)}"
            continue
        try:
            sources[name] = credential_in(scene, name).source
        except CredentialError as error:
            unfit[name] = str(error)
    if unfit:
        told = " and ".join(f"'{name}'" for name in unfit)
        advice = "; ".join(dict.fromkeys(unfit.values()))
        return broken("credentials", f"{told} cannot be used", advice)
    seen = [folder / name for name in names if _others_read(folder / name)]
    if seen:
        told = " and ".join(map(str, seen))
        cure = Cure(f"only root may read {told} now", lambda: _hide(seen))
        paths = " ".join(map(str, seen))
        return hint("credentials", f"others may read {told}", f"sudo chmod 600 {paths}", cure)
    old = [name for name in names if _is_old(scene, name)]
    if old:
        told = " and ".join(f"'{name}'" for name in old)
        return hint("credentials", f"the service runs with an older {told}", RESTART)
    told = ", ".join(f"'{name}' from {source}" for name, source in sources.items())
    return fine("credentials", told, sources=sources)


def _is_found(scene: Scene, name: str) -> bool:
    try:
        credential_in(scene, name)
    except CredentialError:
        return False
    return True


def _is_old(scene: Scene, name: str) -> bool:
    """Whether the owner's file holds another token than systemd's copy of it, which is in use."""
    try:
        used = credential_in(scene, name)
        kept = find_credential(name, {"CREDENTIALS_DIRECTORY": str(kept_in(scene))})
    except CredentialError:
        return False
    copies = scene.root / "run/credentials" / UNIT
    return Path(used.source).is_relative_to(copies) and used.secret != kept.secret


def _others_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:
        return False


def _hide(paths: list[Path]) -> None:
    for path in paths:
        path.chmod(0o600)


def _hidden(folder: Path) -> bool:
    """Whether this user may not look into the folder."""
    try:
        return folder.exists() and not os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:
        return True
