"""One check tells how well Wi-Fi is received, and whether its radio naps between packets."""

from __future__ import annotations

from collections.abc import Iterator

from device.doctor.result import Cure, Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.state.store import DurableFile

WEAK_DBM = -75.0
NETWORK_MANAGER = "etc/NetworkManager/conf.d"
AWAKE = "parley-wifi.conf"
"""Written there by --fix; the installer removes it with everything else."""
STAY_AWAKE = "[connection]\nwifi.powersave = 2\n"
"""NetworkManager.conf(5): 2 disables power saving, where a connection does not ask for it."""


def wifi(scene: Scene) -> Iterator[Result]:
    """Report how well the wireless network is received, where there is one."""
    lines = _networks(scene)
    if not lines:
        yield skipped("wifi", "no wireless network in use")
        return
    interface, _, quality, level, *_ = lines[0].split()
    dbm = float(level.rstrip("."))
    figure = f"{interface.rstrip(':')}: {dbm:.0f} dBm"
    if dbm > 0 or dbm <= -200:
        yield skipped("wifi", f"{interface.rstrip(':')}: quality {quality}, no signal level")
    elif dbm < WEAK_DBM:
        advice = "a weak signal makes answers late: move the speaker or the router, or use a cable"
        yield hint("wifi", figure, advice, signal_dbm=dbm)
    else:
        yield fine("wifi", figure, signal_dbm=dbm)


def power(scene: Scene) -> Iterator[Result]:
    """Report whether the radio sleeps between packets: as Raspberry Pi OS comes, it does."""
    lines = _networks(scene)
    if not lines:
        return
    interface = lines[0].split()[0].rstrip(":")
    told = scene.run(["iw", "dev", interface, "get", "power_save"])
    saves = {"power save: on": True, "power save: off": False}.get(told.out.strip().lower())
    if not told.worked or saves is None:
        yield skipped("wifi power", f"{interface}: not told by iw")
    elif not saves:
        yield fine("wifi power", f"{interface} stays awake", power_save=False)
    else:
        words = ["iw", "dev", interface, "set", "power_save", "off"]
        folder = scene.root / NETWORK_MANAGER
        lasting = folder.is_dir()

        def wake_up() -> None:
            if lasting:
                DurableFile(folder, AWAKE, mode=0o644).write(STAY_AWAKE.encode())
            scene.must(words)

        until = "" if lasting else ", until the next boot: nothing here would keep that"
        yield hint(
            "wifi power",
            f"{interface} sleeps between packets",
            f"answers begin up to 0.3 s later: sudo {' '.join(words)}",
            Cure(f"{interface} stays awake{until}", wake_up),
            power_save=True,
        )


def _networks(scene: Scene) -> list[str]:
    """A line of figures for each wireless network in use, the name of its interface first."""
    return (scene.text("proc/net/wireless") or "").splitlines()[2:]
