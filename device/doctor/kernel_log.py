"""One check reads what the kernel complains of: arrays that leave USB, floods of lines.

A flood drives everything else out of a journal that is kept in memory, as on Raspberry Pi OS.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene

LINES = 1000
BOOTED_S = 60.0
"""Until then a kernel has much to say."""
FLOOD_LINES_S = 10.0
"""A reSpeaker XVF3800 that came up broken makes 8000 lines a second; a healthy system some an
hour (github.com/respeaker/reSpeaker_XVF3800_USB_4MIC_ARRAY, issue 20)."""
FEWEST_LINES = 200
"""Of fewer no rate is told: plugging something in takes a dozen."""
OFTEN = 3

_LINE = re.compile(r"^\[\s*(\d+\.\d+)\] \S+ kernel: (.*)$")
_GONE = re.compile(r"^usb \S+: USB disconnect")


def kernel_log(scene: Scene) -> Iterator[Result]:
    """Look how fast the kernel writes lines, and how often something was lost on USB."""
    words = ["journalctl", "--dmesg", "--no-pager", "--output=short-monotonic", f"--lines={LINES}"]
    told = scene.run(words)
    if not told.worked or "not seeing messages" in told.err or "No journal files" in told.err:
        yield skipped("kernel log", "it cannot be read", "sudo parley doctor")
        return
    lines = [(float(each[1]), each[2]) for each in map(_LINE.match, told.out.splitlines()) if each]
    later = [(at, text) for at, text in lines if at > BOOTED_S]
    lost = sum(bool(_GONE.match(text)) for _, text in later)
    span_s = later[-1][0] - later[0][0] if later else 0.0
    if len(later) >= FEWEST_LINES and len(later) > FLOOD_LINES_S * span_s:
        often, _ = Counter(text for _, text in later).most_common(1)[0]
        what = f"{len(later)} lines within {span_s:.1f} s, most often: {often[:80]}"
        advice = (
            "an array on USB that came up broken does that: plug it out and in, and give it its "
            "newest firmware"
        )
        yield hint("kernel log", what, advice, None, lines=len(later), span_s=round(span_s, 1))
    elif lost >= OFTEN:
        what = f"something on USB was lost {lost} times since the start"
        advice = "a weak power supply or cable; on a Pi 3 or Zero 2 W a powered USB hub helps"
        yield hint("kernel log", what, advice, None, lost=lost)
    else:
        yield fine("kernel log", "nothing that matters to a speaker", lost=lost)
