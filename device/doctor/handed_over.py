"""`handed_over` reads off the unit which secrets systemd hands over to the service.

A drop-in may clear ``LoadCredential=`` or set it anew; then the owner's file is there, and the
service never sees it. `systemctl cat` prints the unit and its drop-ins in the order in which they
count (systemd.unit(5)).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from device.credentials.api_key import CREDENTIAL_NAME, KEY_FILE, VARIABLES
from device.credentials.credential import FOLDER, LOADED_PREFIX, variable_of
from device.doctor.scene import UNIT, Scene

FOLDER_ID = LOADED_PREFIX.removesuffix("_")
"""What the unit calls the folder of which each file is handed over."""
_SETTING = re.compile(
    r"((?:Load|Set)Credential(?:Encrypted)?|ImportCredential|Environment(?:File)?)\s*=\s*(.*)"
)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What the unit says, with all its drop-ins."""

    names: frozenset[str]
    """Of credentials; patterns of ``ImportCredential=`` among them."""
    cleared_in: str
    """The file that took back what the unit had said before it, the last one; empty for none."""
    environment: str
    """What it puts into the environment, as it is written there."""

    def reaches(self, name: str) -> bool:
        """Tell whether the service can get the credential, or the key, of that name."""
        variables = VARIABLES if name == CREDENTIAL_NAME else (variable_of(name),)
        if any(variable in self.environment for variable in variables):
            return True
        if name != CREDENTIAL_NAME and FOLDER_ID in self.names:
            return True
        return any(fnmatch.fnmatchcase(name, known) for known in self.names)

    def remedy(self, name: str) -> str:
        """Say where to look, and what to write there."""
        where = f"{self.cleared_in} clears" if self.cleared_in else "the unit lacks"
        line = f"{FOLDER_ID}:{FOLDER}"
        if name == CREDENTIAL_NAME:
            line = f"{CREDENTIAL_NAME}:{KEY_FILE}"
        return (
            f"{where} LoadCredential= (see: systemctl cat parley): add LoadCredential={line} at "
            "the end of [Service] there (sudo systemctl edit parley), then sudo systemctl restart "
            "parley"
        )


def handed_over(scene: Scene) -> HandedOver | None:
    """Return what systemd hands over; None where no service is installed, or nobody can tell."""
    told = scene.run(["systemctl", "cat", UNIT])
    return _in_files(told.out) if told.worked and "[Service]" in told.out else None


def _in_files(text: str) -> HandedOver:
    names: dict[str, set[str]] = {}
    file, cleared_in, environment = "", "", []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.startswith("# /"):
            file = line[2:].strip()
        setting = _SETTING.match(line.strip())
        if setting is None:
            continue
        name, value = setting.groups()
        # Plain and encrypted ones are on one list, which either of them empties.
        kind = names.setdefault(name.removesuffix("Encrypted"), set())
        if name.startswith("Environment"):
            # A file of it is not looked into: it may hold anything.
            environment.append(value if name == "Environment" else " ".join(VARIABLES))
        elif value:
            kind.add(value.partition(":")[0])
        else:
            kind.clear()
            cleared_in = file if name.startswith("Load") else cleared_in
    return HandedOver(frozenset().union(*names.values()), cleared_in, " ".join(environment))
