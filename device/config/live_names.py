"""The voices and languages of the Live API have names, and near misses of them mean them.

Live API: the prebuilt voices are those of the speech generation guide, as livekit-plugins-google
1.8.9 lists them; a model's page may add more, so a name that is near none of them is taken.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from device.config.yaml import shortened

VOICES: Final = (
    *("Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe"),
    *("Charon", "Despina", "Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore"),
    *("Laomedeia", "Leda", "Orus", "Pulcherrima", "Puck", "Rasalgethi", "Sadachbia"),
    *("Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix", "Zephyr", "Zubenelgenubi"),
)
SAME: Final = 0.8
"""From this likeness on (difflib's ratio, 0..1) another spelling of a voice is a slip: ``Koree``
has 0.89. The most alike of the voices themselves, Algenib and Algieba, have 0.71."""

_LANGUAGES: Final = (
    " aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu"
    " cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi"
    " ho hr ht hu hy hz ia id ie ig ii ik in io is it iu iw ja ji jv ka kg ki kj kk kl km kn"
    " ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt my na nb"
    " nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se"
    " sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty"
    " ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
)
"""Of two letters, by ISO 639-1 and what it has withdrawn; it takes in no more (RFC 5646, 2.2.1)."""
_MEANT: Final = dict(
    re.findall(
        r"(\S+):(\S+)",
        "jp:ja-JP cn:zh-CN cz:cs-CZ dk:da-DK gr:el-GR ua:uk-UA gb:en-GB us:en-US at:de-AT mx:es-MX "
        "german:de-DE deutsch:de-DE english:en-US french:fr-FR français:fr-FR francais:fr-FR "
        "spanish:es-ES español:es-ES espanol:es-ES italian:it-IT italiano:it-IT dutch:nl-NL "
        "nederlands:nl-NL portuguese:pt-BR português:pt-BR polish:pl-PL polski:pl-PL "
        "russian:ru-RU japanese:ja-JP chinese:zh-CN turkish:tr-TR türkçe:tr-TR swedish:sv-SE "
        "svenska:sv-SE",
    )
)
"""What people write instead: a country's code, or the language's name."""


def voice(name: str) -> str:
    """Return the name of a voice as it is; ValueError where it is a slip of one there is."""
    meant = _nearest_voice(name)
    if name not in VOICES and meant is not None and meant[1] >= SAME:
        raise ValueError(f"{shortened(name)} is not a voice: did you mean {meant[0]}?")
    return name


def unknown_voice(name: str | None) -> str | None:
    """Return what the owner should know of a voice that is in no list; None where it is."""
    if name is None or name in VOICES:
        return None
    meant = _nearest_voice(name)
    hint = f"did you mean {meant[0]}? " if meant is not None else ""
    return (
        f"{shortened(name)} is not among the voices that this version knows, so a model may refuse "
        f"it: {hint}known are {', '.join(VOICES)}"
    )


def _nearest_voice(name: str) -> tuple[str, float] | None:
    bare = re.sub(r"[\W_]+", "", name).casefold()
    by_name = {known.casefold(): known for known in VOICES}
    close = difflib.get_close_matches(bare[:40], by_name, n=1)
    if not close:
        return None
    return by_name[close[0]], difflib.SequenceMatcher(None, close[0], bare).ratio()


def language(tag: str) -> str:
    """Return a BCP-47 tag as it is; ValueError where it is none, with the one that is meant."""
    bare = tag.strip()
    first = re.split(r"[-_ ]", bare)[0].casefold()
    well_formed = re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", tag) is not None
    if well_formed and (len(first) == 3 or f" {first} " in _LANGUAGES):
        return tag
    meant = _MEANT.get(bare.casefold()) or _MEANT.get(first)
    if meant is None and f" {first} " in _LANGUAGES:
        meant = _as_a_tag(bare)
    hint = "write e.g. de-DE or en" if meant is None else f"did you mean {meant}?"
    what = "has no language of ISO 639 first" if well_formed else "is not a language tag"
    raise ValueError(f"{shortened(tag)} {what}: {hint}")


def _as_a_tag(text: str) -> str | None:
    """Write ``de_DE.UTF-8`` or ``de DE`` as a tag."""
    tag = re.sub(r"[_\s]+", "-", re.sub(r"[.@].*", "", text))
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", tag) else None
